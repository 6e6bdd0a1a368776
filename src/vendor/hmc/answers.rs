//! What an answer to a start proves: the two rows for the HMC of `vendors.md` 5.1 and 5.2, as one pure function.
//!
//! The status line decides; a body names the job, or, among the 4xx, tells by its `reason` what was not taken from what was refused.

use std::time::Duration;

use super::failures::UPDATES_TASK;
use super::failures::said_in;
use super::wire::Refusal;
use super::wire::job_started;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::vendor::hush::Hush;
use crate::vendor::text::sanitize;

/// The task of an install.
const INSTALL_TASK: &str = "Single Step Console Internal Code";

/// Reason of a 400: the console is at that bundle. IBM's own clients (zhmccli, zhmc-ansible-modules) take it for success.
const ALREADY_THERE: u64 = 356;

/// What a start asked of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A single step install.
    Install,
    /// A token for IBM.
    Authorize {
        /// The answer holds one that can be read.
        issued: bool,
    },
}

impl What {
    fn called(self) -> &'static str {
        match self {
            What::Install => "the install",
            What::Authorize { .. } => "the authorization",
        }
    }

    /// The task that its account needs, in IBM's words.
    fn task(self) -> &'static str {
        match self {
            What::Install => INSTALL_TASK,
            What::Authorize { .. } => UPDATES_TASK,
        }
    }
}

/// Judges the answer to a start. `body` is `None` when not all of it came; `retry_after` is what the vendor asked for, capped
/// by the caller; `hush` has what the words of the body may not repeat.
pub(super) fn judge(what: What, status: u16, retry_after: Option<Duration>, body: Option<&[u8]>, hush: &Hush) -> Answer {
    let refusal = body.and_then(|body| Refusal::read(status, body, hush));
    let said = || said_in(status, body, hush);
    let not_taken = |reason, said: &str| Answer::NotTaken {
        reason,
        message: sanitize(&format!("the HMC did not take {}: {said}", what.called())),
    };
    match (status, &refusal) {
        // Whether a token was issued is not known; the list of them will tell.
        (200..=299, _) if what == (What::Authorize { issued: false }) => Answer::Lost {
            message: format!("the HMC answered {status} to the authorization, without a token that can be read"),
        },
        // It was taken. Without a readable job it is followed by the bundle.
        (200..=299, _) => Answer::Accepted {
            job: body.filter(|_| what == What::Install).and_then(job_started),
        },
        // RFC 9110, 15.5.2: the request "has not been applied because it lacks valid authentication credentials".
        (401, _) => not_taken(NotTaken::Unauthorized, &said()),
        (429, _) => not_taken(NotTaken::Throttled { retry_after }, "429, it limits the rate of calls"),
        (403, Some(known)) if known.of_session(status) => not_taken(NotTaken::Unauthorized, &said()),
        (409, Some(known)) if known.of_busy(status) => not_taken(NotTaken::Busy, &said()),
        (400, Some(known)) if known.reason == ALREADY_THERE && what == What::Install => not_taken(NotTaken::AlreadyThere, &said()),
        // 408 is the word of somebody who did not see the request's end. A body that broke off, or is no console's, is no proof of less.
        (400..=499, _) if status != 408 => {
            let hint = match &refusal {
                Some(Refusal { reason: 1, .. }) if status == 403 => format!("; the account needs the task {}", what.task()),
                _ => String::new(),
            };
            Answer::Rejected {
                message: sanitize(&format!("the HMC refused {} with {status} ({}){hint}", what.called(), said())),
            }
        }
        // A 5xx proves nothing, whoever says it and however it is put.
        _ => Answer::Lost {
            message: sanitize(&format!("the HMC answered {status} ({})", said())),
        },
    }
}
