//! Why a call to a vendor failed, in three languages: a class for code, a Ready reason for the Connection, and words for people.
//!
//! The words say what, where, and what to do. They come from our own text and from fields of the vendor's error shape, sanitized and
//! bounded; never from a body.

use std::time::Duration;

use super::credentials::CredentialError;
use super::http::FenceError;
use super::text::sanitize;
use super::vault::VaultError;

/// What may be wrong in a Secret with a user.
pub const USER_KEYS: &str = "username and password";

/// What a caller does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// May be gone on the next try.
    Transient,
    /// The vendor asked for a pause.
    Throttled {
        /// How long, where it said so.
        after: Option<Duration>,
    },
    /// The vendor's calls of a day are used up, or kept for what matters more.
    QuotaUsedUp {
        /// When there are calls again.
        until: jiff::Timestamp,
    },
    /// Credentials or rights: a person has to change them.
    Auth,
    /// Trying again changes nothing until a person does.
    Refused,
}

impl Class {
    /// The word for metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Class::Transient => "transient",
            Class::Throttled { .. } | Class::QuotaUsedUp { .. } => "throttled",
            Class::Auth => "auth",
            Class::Refused => "refused",
        }
    }
}

/// A call to a vendor that brought nothing usable. `authority` is host:port as connected to.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum VendorError {
    /// The address fence forbids the endpoint.
    #[error("{0}")]
    EndpointNotAllowed(#[from] FenceError),
    /// The CA bundle of the Connection cannot be read.
    #[error("spec.caBundlePEM cannot be used: {why}")]
    BadCaBundle {
        /// What is wrong with it.
        why: String,
    },
    /// The server's certificate is not trusted.
    #[error(
        "{authority} presents a certificate that is not trusted ({why}): put the PEM of the CA that signed it into spec.caBundlePEM, and use a host name that the certificate names"
    )]
    TlsUntrusted {
        /// Where.
        authority: String,
        /// What the verifier said.
        why: String,
    },
    /// No TLS parameters in common.
    #[error(
        "{authority} and Windlass have no TLS version or cipher in common ({why}): Windlass (rustls) speaks TLS 1.2 and 1.3 only, and no RSA key exchange; enable TLS 1.2 with ECDHE there"
    )]
    TlsTooOld {
        /// Where.
        authority: String,
        /// What the handshake said.
        why: String,
    },
    /// No connection, or it broke, or no answer in time.
    #[error("{authority} cannot be reached: {why}; check spec.url, DNS and network policies")]
    Unreachable {
        /// Where.
        authority: String,
        /// What happened.
        why: String,
    },
    /// The vendor asked for a pause.
    #[error("{authority} limits the rate of calls{}", .after.map_or_else(String::new, |d| format!("; the next one is due in {} s", d.as_secs().max(1))))]
    Throttled {
        /// Where.
        authority: String,
        /// How long, where it said so.
        after: Option<Duration>,
    },
    /// The calls of a day are used up, or what is left of them is kept for what matters more.
    #[error(
        "{authority} is not asked before {until:.0}: {left} of {limit} calls are left for today, and those are kept for starts and for runs that are about to end"
    )]
    QuotaUsedUp {
        /// Where.
        authority: String,
        /// Calls that are left.
        left: u32,
        /// Calls of a day.
        limit: u32,
        /// When there are calls again.
        until: jiff::Timestamp,
    },
    /// The server has trouble of its own.
    #[error("{authority} answered {operation} with {status} ({said}); it is tried again")]
    Unavailable {
        /// Where.
        authority: String,
        /// Which call.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// The vendor's words.
        said: String,
    },
    /// Credentials were refused.
    #[error("{authority} refused the credentials at {operation} ({said}): check {keys} in the Secret")]
    AuthFailed {
        /// What of the Secret may be wrong.
        keys: &'static str,
        /// Where.
        authority: String,
        /// Which call.
        operation: &'static str,
        /// The vendor's words.
        said: String,
    },
    /// Nothing that is known brings an access token: a person has to make one.
    #[error(
        "{authority} takes none of the refresh tokens that are known: {why}; create a new one there (My Apps & Tokens), and put it into the Secret as refreshToken"
    )]
    TokensDead {
        /// Where.
        authority: String,
        /// What became of them.
        why: String,
    },
    /// There is no access token, and it is too early to ask for another one.
    #[error("{authority} is not asked for another access token before {until:.0}: {why}")]
    NoTokenYet {
        /// Where.
        authority: String,
        /// Why.
        why: String,
        /// When one may be asked for.
        until: jiff::Timestamp,
        /// How long that is.
        after: Duration,
    },
    /// The Secret with the tokens cannot be read, or written.
    #[error("{0}")]
    Tokens(#[from] VaultError),
    /// The credentials are right, and their password has expired.
    #[error(
        "{authority} refused the credentials at {operation} ({said}): the password has expired; set a new one there, and in the Secret"
    )]
    PasswordExpired {
        /// Where.
        authority: String,
        /// Which call.
        operation: &'static str,
        /// The vendor's words.
        said: String,
    },
    /// The credentials are right, and the account has as many sessions as it may have.
    #[error("{authority} opens no more sessions for the account ({said}): end some of them there, or give it a user of its own")]
    TooManySessions {
        /// Where.
        authority: String,
        /// The vendor's words.
        said: String,
    },
    /// The credentials are right, and more than them is asked for.
    #[error(
        "{authority} asks for a second factor or a new password at login ({said}): nobody is there to give one; put a user without multi-factor authentication, whose password is good, into the Secret"
    )]
    SecondFactor {
        /// Where.
        authority: String,
        /// The vendor's words.
        said: String,
    },
    /// The credentials could not be read at all.
    #[error("{0}")]
    Credentials(#[from] CredentialError),
    /// The account may not do this.
    #[error("the account may not do {operation} on {authority} ({said}): {fix}")]
    MissingPermission {
        /// Where.
        authority: String,
        /// Which call.
        operation: &'static str,
        /// The vendor's words.
        said: String,
        /// Which right to give, in the vendor's words.
        fix: &'static str,
    },
    /// Something else lives there.
    #[error("{authority} does not look like {product}: {operation} brought {what}; check spec.url and spec.type")]
    NotThisProduct {
        /// Where.
        authority: String,
        /// What was expected.
        product: &'static str,
        /// Which call.
        operation: &'static str,
        /// What came instead.
        what: String,
    },
    /// It is the product, and one that cannot do what is wanted of it.
    #[error("{authority} {what}")]
    Unsupported {
        /// Where.
        authority: String,
        /// What it cannot do, as a predicate.
        what: &'static str,
    },
    /// The vendor knows no such state to filter a list by.
    #[error("{authority} knows no state {state:?} to filter by ({said})")]
    InvalidStateFilter {
        /// Where.
        authority: String,
        /// The state that was asked for.
        state: String,
        /// The vendor's words.
        said: String,
    },
    /// The vendor will not do this.
    #[error("{authority} refused {operation} with {status} ({said})")]
    Refused {
        /// Where.
        authority: String,
        /// Which call.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// The vendor's words.
        said: String,
    },
    /// An answer that is not what the vendor documents.
    #[error("{authority} answered {operation} with something unreadable: {what}")]
    Unreadable {
        /// Where.
        authority: String,
        /// Which call.
        operation: &'static str,
        /// What it was.
        what: String,
    },
    /// We made no request: our own input does not fit into one.
    #[error("{operation} was not sent: {why}")]
    NoRequest {
        /// Which call.
        operation: &'static str,
        /// Why.
        why: String,
    },
}

impl VendorError {
    /// What a caller does about it.
    pub fn class(&self) -> Class {
        match self {
            VendorError::Unreachable { .. }
            | VendorError::Unavailable { .. }
            | VendorError::Unreadable { .. }
            | VendorError::TooManySessions { .. }
            | VendorError::Tokens(VaultError::Moved | VaultError::Other { .. })
            | VendorError::Credentials(CredentialError::Other { .. }) => Class::Transient,
            VendorError::Throttled { after, .. } => Class::Throttled { after: *after },
            VendorError::NoTokenYet { after, .. } => Class::Throttled { after: Some(*after) },
            VendorError::QuotaUsedUp { until, .. } => Class::QuotaUsedUp { until: *until },
            VendorError::AuthFailed { .. }
            | VendorError::TokensDead { .. }
            | VendorError::Tokens(VaultError::AccessDenied { .. })
            | VendorError::PasswordExpired { .. }
            | VendorError::SecondFactor { .. }
            | VendorError::Credentials(_)
            | VendorError::MissingPermission { .. } => Class::Auth,
            VendorError::EndpointNotAllowed(_)
            | VendorError::BadCaBundle { .. }
            | VendorError::TlsUntrusted { .. }
            | VendorError::TlsTooOld { .. }
            | VendorError::NotThisProduct { .. }
            | VendorError::Unsupported { .. }
            | VendorError::InvalidStateFilter { .. }
            | VendorError::Refused { .. }
            | VendorError::NoRequest { .. } => Class::Refused,
        }
    }

    /// The word for metrics and logs.
    pub fn label(&self) -> &'static str {
        self.class().label()
    }

    /// The reason of the Connection's Ready condition. Whatever has no reason of its own is `Unreachable`: no usable answer came.
    pub fn reason(&self) -> &'static str {
        match self {
            VendorError::EndpointNotAllowed(_) => "EndpointNotAllowed",
            VendorError::BadCaBundle { .. } | VendorError::TlsUntrusted { .. } => "TLSUntrusted",
            VendorError::TlsTooOld { .. } => "TLSTooOld",
            VendorError::AuthFailed { .. } | VendorError::TokensDead { .. } | VendorError::Credentials(CredentialError::Refused { .. }) => {
                "AuthFailed"
            }
            VendorError::NoTokenYet { .. } => "NoTokenYet",
            VendorError::PasswordExpired { .. } => "PasswordExpired",
            VendorError::QuotaUsedUp { .. } => "QuotaLow",
            VendorError::TooManySessions { .. } => "TooManySessions",
            VendorError::SecondFactor { .. } => "SecondFactorRequired",
            VendorError::Credentials(CredentialError::NotFound { .. }) => "SecretNotFound",
            VendorError::Tokens(VaultError::AccessDenied { .. }) | VendorError::Credentials(CredentialError::AccessDenied { .. }) => {
                "SecretAccessDenied"
            }
            VendorError::Credentials(CredentialError::Incomplete { .. }) => "SecretIncomplete",
            VendorError::MissingPermission { .. } => "MissingPermission",
            VendorError::NotThisProduct { .. } => "NotThisProduct",
            VendorError::Unsupported { .. } => "Unsupported",
            VendorError::InvalidStateFilter { .. } => "InvalidStateFilter",
            VendorError::Unreachable { .. }
            | VendorError::Throttled { .. }
            | VendorError::Unavailable { .. }
            | VendorError::Tokens(VaultError::Moved | VaultError::Other { .. })
            | VendorError::Credentials(CredentialError::Other { .. })
            | VendorError::Refused { .. }
            | VendorError::Unreadable { .. }
            | VendorError::NoRequest { .. } => "Unreachable",
        }
    }

    /// A login that ended like this is not tried again at once: the same would come of it, or worse.
    pub fn bars_login(&self) -> bool {
        matches!(
            self,
            VendorError::AuthFailed { .. }
                | VendorError::PasswordExpired { .. }
                | VendorError::SecondFactor { .. }
                | VendorError::TooManySessions { .. }
        )
    }

    /// The words for people: one line, bounded, printable.
    pub fn message(&self) -> String {
        sanitize(&self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_bounded_and_say_what_to_do() {
        let err = VendorError::TlsUntrusted {
            authority: "vc1:443".to_owned(),
            why: "UnknownIssuer".to_owned(),
        };
        assert!(err.message().contains("spec.caBundlePEM"));
        assert_eq!(err.reason(), "TLSUntrusted");
        let err = VendorError::TlsTooOld {
            authority: "vc1:443".to_owned(),
            why: "x".to_owned(),
        };
        assert!(err.message().contains("no RSA key exchange"), "{err}");
        let err = VendorError::Unreachable {
            authority: "vc1:443".to_owned(),
            why: "\u{0}y".repeat(900),
        };
        assert!(err.message().chars().count() <= 512);
    }

    #[test]
    fn an_api_server_in_trouble_is_not_a_missing_secret() {
        let err = VendorError::from(CredentialError::Other {
            secret: "vc1".to_owned(),
            why: "503".to_owned(),
        });
        assert_eq!((err.label(), err.reason()), ("transient", "Unreachable"));
        let err = VendorError::from(CredentialError::Incomplete {
            secret: "vc1".to_owned(),
            key: "password".to_owned(),
        });
        assert_eq!((err.label(), err.reason()), ("auth", "SecretIncomplete"));
    }
}
