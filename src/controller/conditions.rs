//! Conditions as every kind writes them. Pure: the same words on the same old conditions give the same conditions.

use jiff::Timestamp;

use crate::api::common::Condition;

/// What the conditions of one status share.
pub struct Conditions<'a> {
    /// Those of the status as it stands.
    pub old: &'a [Condition],
    /// Generation that they are said about.
    pub generation: Option<i64>,
    /// One word: why.
    pub reason: &'a str,
    /// The same for people.
    pub message: &'a str,
    /// Wall clock.
    pub now: Timestamp,
}

impl Conditions<'_> {
    /// One of them. Its transition time stays unless its status changes, or every pass would write.
    pub fn set(&self, type_: &str, status: bool) -> Condition {
        let status = if status { "True" } else { "False" };
        let before = self.old.iter().find(|c| c.type_ == type_ && c.status == status);
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message.to_owned(),
            last_transition_time: before.and_then(|c| c.last_transition_time).or_else(|| Some(to_second(self.now))),
            observed_generation: self.generation,
        }
    }
}

/// Kubernetes times have no fractions of a second; rounded up, so that what is shown is never before what happens.
pub fn to_second(at: Timestamp) -> Timestamp {
    let up = i64::from(at.subsec_nanosecond() > 0);
    Timestamp::from_second(at.as_second() + up).unwrap_or(at)
}

/// At most `longest` bytes, cut between characters.
pub fn bounded(text: &str, longest: usize) -> String {
    text.get(..text.floor_char_boundary(longest)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_its_transition_time_until_its_status_changes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let conditions = |old: &[Condition], now| {
            Conditions {
                old,
                generation: Some(1),
                reason: "R",
                message: "m",
                now: at(now),
            }
            .set("Ready", true)
        };
        let first = conditions(&[], 10);
        assert_eq!(conditions(std::slice::from_ref(&first), 20), first, "nothing to write");
        let was_false = Condition {
            status: "False".to_owned(),
            ..first
        };
        assert_eq!(conditions(&[was_false], 20).last_transition_time, Some(at(20)));
    }

    #[test]
    fn a_text_is_cut_between_characters_and_a_time_never_rounds_down() {
        assert_eq!(bounded("aé", 2), "a");
        assert_eq!(to_second(Timestamp::new(5, 1).unwrap()).as_second(), 6);
    }
}
