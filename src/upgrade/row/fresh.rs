//! A target whose ledger lets the wished run begin: what does it look like itself?
//!
//! The second half of [`row`](super), which is its only caller.

use super::Bench;
use super::Judged;
use super::Place;
use super::short;
use crate::upgrade::decision::Effect;
use crate::upgrade::decision::Row;
use crate::upgrade::decision::What;
use crate::upgrade::facts::Options;
use crate::upgrade::facts::Usable;
use crate::upgrade::facts::Wish;
use crate::upgrade::fleet::Terms;
use crate::upgrade::ledger::Ledger;
use crate::upgrade::ledger::Wanted;
use crate::upgrade::reason::Reason;
use crate::upgrade::reason::State;
use crate::upgrade::receipt::Note;
use crate::upgrade::sight::Does;
use crate::upgrade::sight::Job;
use crate::upgrade::sight::Looks;
use crate::upgrade::sight::Motion;
use crate::upgrade::sight::Offered;
use crate::upgrade::sight::Sight;
use crate::upgrade::target::VendorType;
use crate::upgrade::version;
use crate::upgrade::version::Order;
use crate::upgrade::when::When;

impl Bench<'_> {
    /// Nothing stands in the ledger. Too late is too late, unless what the target looks like makes another end of it.
    pub(super) fn fresh(&self, ledger: &Ledger, seq: u32, wish: &Wish, wanted: &Wanted) -> Judged {
        let judged = self.looked_at(ledger, seq, wish, wanted);
        let may_look = self.facts.connection.usable == Usable::Yes;
        match judged.place {
            _ if !self.too_late() => judged,
            Place::Note(_) | Place::Over => judged,
            _ if self.sight().is_none() && may_look => judged,
            _ => self.not_in_time(seq, wish, wanted),
        }
    }

    /// What does the target itself say?
    fn looked_at(&self, ledger: &Ledger, seq: u32, wish: &Wish, wanted: &Wanted) -> Judged {
        let Some(sight) = self.sight() else {
            return self.unseen_for_lack_of_calls().unwrap_or_else(|| {
                let message = "not looked at yet".to_owned();
                self.blocked(Reason::Evaluating, message, None)
            });
        };
        let looks = match (&sight.motion, &sight.looks) {
            (Motion::NotSeen { why, unknown_object: true }, _) => {
                let message = match self.target.key.vendor {
                    VendorType::VCenter => format!("{why}; check spec.clusters[].cluster"),
                    VendorType::ArubaCentral => format!("{why}; check spec.arubaCustomer.customerId"),
                    _ => why.clone(),
                };
                return self.blocked(Reason::TargetNotFound, message, None);
            }
            (Motion::NotSeen { why, .. }, _) => {
                return self.blocked(Reason::Evaluating, format!("cannot be seen: {why}; looking again"), None);
            }
            _ if let Some(terms) = Terms::of(&wish.options) => {
                return self.devices_looked_at(ledger, seq, wish, wanted, (sight, &terms));
            }
            (_, Some(looks)) if sight.complete => looks,
            _ => {
                let message = "the vendor's answer is incomplete; looking again".to_owned();
                return self.blocked(Reason::Evaluating, message, None);
            }
        };
        if let Some(unsure) = self.perhaps_another(wish) {
            return unsure;
        }
        let effect = |what: What| Effect {
            key: self.target.key.clone(),
            seq,
            run: wanted.run.clone(),
            options: wish.options.clone(),
            before: looks.clone(),
            what,
            closes: None,
            due: None,
        };
        let planned = sight.jobs.iter().find(|job| job.still_planned(self.facts.wall));
        match &sight.motion {
            Motion::Moving { toward: Some(toward), .. } if *toward == wish.version => {
                self.note(effect(What::Note(Note::Adopted)), Reason::Started)
            }
            Motion::Still if let Some(update) = scheduled_for_us(sight, wish) => {
                let mut adopted = effect(What::Note(Note::Adopted));
                let jobs = adopted.before.jobs.get_or_insert_default();
                (jobs.mover, jobs.begins) = (Some(update.id.clone()), update.planned.as_ref().map(|planned| planned.at));
                self.note(adopted, Reason::Started)
            }
            Motion::Still if planned.is_some() => {
                let message = planned.map(planned_there).unwrap_or_default();
                self.blocked(Reason::TargetBusy, message, None)
            }
            Motion::Moving { toward, .. } => {
                let message = match (toward, &sight.says) {
                    (Some(toward), _) => format!("it is being upgraded to {toward}, not by Windlass; waiting for its end"),
                    (None, Some(says)) => format!("something is under way there, not by Windlass: {says}; waiting for its end"),
                    (None, None) => {
                        "it is being upgraded to a version that the vendor does not tell, not by Windlass; waiting for its end".to_owned()
                    }
                };
                self.blocked(Reason::TargetBusy, message, None)
            }
            _ if looks.faulted => {
                let said = sight.says.as_ref().map(|s| format!(": {s}")).unwrap_or_default();
                let message = format!(
                    "{} is in ERROR since an earlier upgrade{said}; clear it {}",
                    self.called(),
                    self.at_vendor()
                );
                self.blocked(Reason::TargetInError, message, None)
            }
            _ if version::is_at(&wish.version, &looks.version) => {
                self.note(effect(What::Note(Note::AlreadyAtVersion)), Reason::AlreadyAtVersion)
            }
            _ if backwards(ledger, wish, looks) => self.note(effect(What::Note(Note::WouldDowngrade)), Reason::WouldDowngrade),
            _ => match wish.options {
                Options::ConsoleSchedule { authorize } => self.left_to_vendor(sight, wish, looks, authorize, effect),
                _ => self
                    .offered(sight, wish)
                    .unwrap_or_else(|| self.candidate(wish, looks, effect(What::Start))),
            },
        }
    }

    /// It is not the one that the wish names, or nobody knows yet.
    fn perhaps_another(&self, wish: &Wish) -> Option<Judged> {
        let identity = self.row().display_name;
        if let (Some(expected), Some(found)) = (&wish.expected_identity, &identity)
            && expected != found
        {
            let message = format!(
                "the vendor calls {} {found:?}, but clusterName says {expected:?}; nothing was sent",
                self.target.key.object
            );
            let row = Row {
                state: State::Rejected,
                reason: Reason::IdentityMismatch,
                message: Some(message),
                ..self.row()
            };
            return Some(Judged {
                row,
                place: Place::Over,
                writes: Vec::new(),
            });
        }
        (wish.expected_identity.is_some() && identity.is_none())
            .then(|| self.blocked(Reason::Evaluating, "the vendor's name of it is not known yet".to_owned(), None))
    }

    /// Nothing is scheduled to our version. IBM schedules it with a token: one that is good is used as it is, and only without one is another
    /// asked for.
    fn left_to_vendor(&self, sight: &Sight, wish: &Wish, looks: &Looks, authorize: bool, effect: impl Fn(What) -> Effect) -> Judged {
        if looks.permissions.is_none() {
            let said = sight.says.as_deref().unwrap_or("the console does not tell which tokens are good");
            let message = format!("what IBM schedules cannot be followed: {said}");
            return self.blocked(Reason::ConnectionNotReady, message, None);
        }
        if sight.permitted.is_some_and(|until| until > self.facts.wall) && authorize {
            let mut adopted = effect(What::Note(Note::Adopted));
            adopted.before.permitted = sight.permitted;
            return self.candidate(wish, looks, adopted);
        }
        if authorize {
            return self.candidate(wish, looks, effect(What::Start));
        }
        let message = format!(
            "IBM has scheduled nothing to {} yet; spec.hmcConsole.remoteSchedule.authorize is Never, so no token is asked for",
            wish.version
        );
        self.blocked(Reason::WaitingForVendor, message, None)
    }

    /// Why the version cannot be had; `None` where the vendor offers it, byte for byte.
    fn offered(&self, sight: &Sight, wish: &Wish) -> Option<Judged> {
        let versions = match &sight.offered {
            Offered::Versions(versions) => versions,
            Offered::Untold => return None,
            Offered::Unasked => {
                let message = "what it offers is not known yet; asking".to_owned();
                return Some(self.blocked(Reason::Evaluating, message, None));
            }
            Offered::Unavailable { why } => {
                let message = format!("{} cannot say what it offers: {why}; asking again", self.called());
                return Some(self.blocked(Reason::RepositoryUnreachable, message, None));
            }
        };
        if versions.contains(&wish.version) {
            return None;
        }
        let offered = if versions.is_empty() {
            "nothing".to_owned()
        } else {
            versions.join(", ")
        };
        let message = format!("{} is not offered for {}; offered: {offered}", wish.version, self.called());
        Some(self.blocked(Reason::VersionNotOffered, message, None))
    }

    pub(super) fn too_late(&self) -> bool {
        matches!(self.when, When::TooLate { .. })
    }

    /// `notAfter` passed. Without its Connection a target is not even known well enough to be noted.
    pub(super) fn not_in_time(&self, seq: u32, wish: &Wish, wanted: &Wanted) -> Judged {
        let message = "schedule.notAfter has passed; nothing will be sent".to_owned();
        if matches!(
            self.facts.connection.usable,
            Usable::Missing | Usable::NotInShard { .. } | Usable::WrongType { .. }
        ) {
            return self.blocked(Reason::NotStartedInTime, message, None);
        }
        let mut judged = self.note(
            Effect {
                key: self.target.key.clone(),
                seq,
                run: wanted.run.clone(),
                options: wish.options.clone(),
                before: self.last_seen(wish),
                what: What::Note(Note::NotStartedInTime),
                closes: None,
                due: None,
            },
            Reason::NotStartedInTime,
        );
        judged.row.message = Some(message);
        judged
    }

    /// Everything is as a start needs it.
    fn candidate(&self, wish: &Wish, looks: &Looks, effect: Effect) -> Judged {
        let refusal = self.facts.refusal(&self.target.key);
        let unordered = matches!(version::order(&wish.version, &looks.version), Order::Incomparable | Order::Same);
        let message = match refusal {
            Some(refusal) => Some(format!("not started: {}", refusal.why)),
            None => unordered.then(|| {
                let trusted = match self.sight().map(|sight| &sight.offered) {
                    Some(Offered::Untold) => "refuses a downgrade",
                    _ => "lists it as an upgrade",
                };
                format!("{} and {} cannot be compared; the vendor {trusted}", wish.version, looks.version)
            }),
        };
        Judged {
            row: Row { message, ..self.row() },
            place: Place::Candidate(effect),
            writes: Vec::new(),
        }
    }

    fn called(&self) -> String {
        let name = self.row().display_name.map(|n| format!(" ({n})")).unwrap_or_default();
        match self.target.key.vendor {
            VendorType::VCenter => format!("cluster {}{name}", self.target.key.object),
            _ => format!("{}{name}", self.facts.name_of(self.target)),
        }
    }

    /// Where people deal with the target.
    fn at_vendor(&self) -> &'static str {
        match self.target.key.vendor {
            VendorType::VCenter => "in vSphere",
            VendorType::RecoveryAppliance => "in the appliance's management page",
            VendorType::Hmc => "on the HMC",
            VendorType::ArubaCentral => "in Aruba Central",
        }
    }

    pub(super) fn note(&self, effect: Effect, reason: Reason) -> Judged {
        Judged {
            row: Row { reason, ..self.row() },
            place: Place::Note(effect),
            writes: Vec::new(),
        }
    }
}

/// What IBM has on its schedule to our version, where it is IBM's to carry it out.
fn scheduled_for_us<'s>(sight: &'s Sight, wish: &Wish) -> Option<&'s Job> {
    let theirs = matches!(wish.options, Options::ConsoleSchedule { .. });
    let ours = |job: &&Job| job.active() && job.planned.is_some() && job.does == Does::Installs(wish.version.clone());
    sight.jobs.iter().filter(|_| theirs).find(ours)
}

/// What stands on a console's schedule, for people.
fn planned_there(job: &Job) -> String {
    let what = match &job.does {
        Does::Installs(version) => version.as_str(),
        Does::Untold | Does::Else => "an upgrade",
    };
    let when = job.planned.as_ref().map(|p| format!(" for {}", short(p.at))).unwrap_or_default();
    format!(
        "{what} is scheduled there{when} ({}), not by Windlass; waiting for its end",
        job.word
    )
}

/// Asks for an older version, or for the one that the last accepted run came from.
fn backwards(ledger: &Ledger, wish: &Wish, looks: &Looks) -> bool {
    version::order(&wish.version, &looks.version) == Order::Older
        || ledger.came_from().is_some_and(|from| version::is_at(&wish.version, from))
}

#[cfg(test)]
#[path = "fresh_tests.rs"]
mod tests;
