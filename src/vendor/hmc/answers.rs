//! What an answer to a start proves: the rows for the HMC's single step install of `vendors.md` 5.1 and 5.2, as one pure function.
//!
//! The status line decides; a body names the job, or, among the 4xx, tells by its `reason` what was not taken from what was refused.

use std::time::Duration;

use super::failures::said_in;
use super::hush::Hush;
use super::wire::Refusal;
use super::wire::job_started;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::vendor::text::sanitize;

/// Reason of a 400: the console is at that bundle. IBM's own clients (zhmccli, zhmc-ansible-modules) take it for success.
const ALREADY_THERE: u64 = 356;

/// Judges the answer to a single step install. `body` is `None` when not all of it came; `retry_after` is what the vendor asked for, capped
/// by the caller; `hush` has what the words of the body may not repeat.
pub(super) fn judge(status: u16, retry_after: Option<Duration>, body: Option<&[u8]>, hush: &Hush) -> Answer {
    let refusal = body.and_then(|body| Refusal::read(status, body, hush));
    let said = || said_in(status, body, hush);
    match (status, &refusal) {
        // It was taken. Without a readable job it is followed by the bundle.
        (200..=299, _) => Answer::Accepted {
            job: body.and_then(job_started),
        },
        // RFC 9110, 15.5.2: the request "has not been applied because it lacks valid authentication credentials".
        (401, _) => not_taken(NotTaken::Unauthorized, &said()),
        (429, _) => not_taken(NotTaken::Throttled { retry_after }, "429, it limits the rate of calls"),
        (403, Some(known)) if known.of_session(status) => not_taken(NotTaken::Unauthorized, &said()),
        (409, Some(known)) if known.of_busy(status) => not_taken(NotTaken::Busy, &said()),
        (400, Some(known)) if known.reason == ALREADY_THERE => not_taken(NotTaken::AlreadyThere, &said()),
        // 408 is the word of somebody who did not see the request's end. A body that broke off, or is no console's, is no proof of less.
        (400..=499, _) if status != 408 => {
            let hint = match &refusal {
                Some(Refusal { reason: 1, .. }) if status == 403 => "; the account needs the task Single Step Console Internal Code",
                _ => "",
            };
            Answer::Rejected {
                message: sanitize(&format!("the HMC refused the install with {status} ({}){hint}", said())),
            }
        }
        // A 5xx proves nothing, whoever says it and however it is put.
        _ => Answer::Lost {
            message: sanitize(&format!("the HMC answered {status} ({})", said())),
        },
    }
}

fn not_taken(reason: NotTaken, said: &str) -> Answer {
    Answer::NotTaken {
        reason,
        message: sanitize(&format!("the HMC did not take the install: {said}")),
    }
}
