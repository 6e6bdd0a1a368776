//! What an answer to a start proves: the rows for the appliance of `vendors.md` 5.1 and 5.2, as one pure function.
//!
//! The status line decides; a body only names the task, or says why. Documented for the call: 202 with a Task, 400, 403 and 500 with a
//! `ResponseError`, 401 and 404 without a body.

use std::time::Duration;

use super::wire::Answers;
use super::wire::id_of_started;
use super::wire::said;
use crate::upgrade::receipt::Answer;
use crate::upgrade::receipt::NotTaken;
use crate::vendor::text::sanitize;

/// Judges the answer to an install. `body` is `None` when not all of it came; `retry_after` is what the vendor asked for, capped by the
/// caller.
pub fn judge(status: u16, retry_after: Option<Duration>, body: Option<&[u8]>) -> Answer {
    match status {
        // It was taken. Without a readable id it is followed by the list of tasks and the version.
        200..=299 => Answer::Accepted {
            job: body.and_then(id_of_started),
        },
        // RFC 9110, 15.5.2: the request "has not been applied because it lacks valid authentication credentials".
        401 => not_taken(NotTaken::Unauthorized, 401, &said(body, Answers::Start)),
        429 => not_taken(NotTaken::Throttled { retry_after }, 429, "it limits the rate of calls"),
        // 408 is the word of somebody who did not see the request's end. Other refusals need no body: nothing in one turns them into less.
        400..=499 if status != 408 => Answer::Rejected {
            message: sanitize(&format!(
                "the appliance refused the update with {status} ({})",
                said(body, Answers::Start)
            )),
        },
        // A 500 with an error proves no more than one without, though it is documented.
        _ => Answer::Lost {
            message: sanitize(&format!("the appliance answered {status} ({})", said(body, Answers::Start))),
        },
    }
}

fn not_taken(reason: NotTaken, status: u16, said: &str) -> Answer {
    Answer::NotTaken {
        reason,
        message: sanitize(&format!("the appliance did not take the update: {status} ({said})")),
    }
}
