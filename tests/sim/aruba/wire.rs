//! Refusals and their bodies: what all calls of this API have in common.
//!
//! Called by the rest of this simulator. Three parts of Central refuse in three forms: the firmware service, the gateway before it, and the
//! token service. Bodies are built as values, field by field, so that each can be compared with the documents by eye.

use serde_json::{Value, json};

use super::super::vendor::Reply;
use super::settings::{ErrorBody, Settings, UnknownCustomer};

/// The firmware service's own codes [C].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 0001
    General,
    /// 0003
    Combination,
    /// 0004
    Value,
    /// 0005
    Missing,
}

impl Code {
    pub fn text(self) -> &'static str {
        match self {
            Self::General => "0001",
            Self::Combination => "0003",
            Self::Value => "0004",
            Self::Missing => "0005",
        }
    }

    /// The code with this number, for a fault rule.
    pub fn numbered(number: u32) -> Self {
        match number {
            3 => Self::Combination,
            4 => Self::Value,
            5 => Self::Missing,
            _ => Self::General,
        }
    }
}

/// Why a request gets no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    told: Told,
}

/// In whose words.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Service(Code, String),
    Gateway(String),
    Token(&'static str, &'static str),
}

impl Refusal {
    pub fn new(status: u16, code: Code, text: impl Into<String>) -> Self {
        Self {
            status,
            told: Told::Service(code, text.into()),
        }
    }

    /// The request is not valid. [U] with which status.
    fn invalid(code: Code, text: String, settings: &Settings) -> Self {
        Self::new(settings.invalid_status, code, text)
    }

    /// 0003. That a field or a parameter that is not known counts as this is [U].
    pub fn combination(text: impl Into<String>, settings: &Settings) -> Self {
        Self::invalid(Code::Combination, text.into(), settings)
    }

    /// 0004
    pub fn value(name: &str, settings: &Settings) -> Self {
        Self::invalid(Code::Value, format!("Invalid value ({name})"), settings)
    }

    /// 0005
    pub fn missing(name: &str, settings: &Settings) -> Self {
        Self::invalid(Code::Missing, format!("Missing required parameter ({name})"), settings)
    }

    /// 0001, for what is understood and not done.
    pub fn general(text: &str, settings: &Settings) -> Self {
        Self::invalid(Code::General, text.to_owned(), settings)
    }

    /// 403
    pub fn forbidden() -> Self {
        Self::new(403, Code::General, "Forbidden")
    }

    /// 404
    pub fn not_found() -> Self {
        Self::new(404, Code::General, "Not found")
    }

    /// There is no such customer.
    pub fn no_customer(settings: &Settings) -> Self {
        match settings.unknown_customer {
            UnknownCustomer::NotFound => Self::not_found(),
            UnknownCustomer::Forbidden => Self::forbidden(),
            UnknownCustomer::Invalid => Self::value("customer_id", settings),
        }
    }

    /// By the gateway, which has one member to tell it with [C for the limit of calls].
    pub fn gateway(status: u16, text: impl Into<String>) -> Self {
        Self {
            status,
            told: Told::Gateway(text.into()),
        }
    }

    /// 429 [C].
    pub fn over_limit() -> Self {
        Self::gateway(429, "API rate limit exceeded")
    }

    /// In the words of OAuth.
    pub fn token(status: u16, error: &'static str, text: &'static str) -> Self {
        Self {
            status,
            told: Told::Token(error, text),
        }
    }

    /// 401: `invalid_token` is in the body [C].
    pub fn bad_token() -> Self {
        Self::token(401, "invalid_token", "The access token is invalid or has expired")
    }

    pub fn reply(&self, settings: &Settings) -> Reply {
        Reply::json(self.status, self.body(settings))
    }

    pub fn body(&self, settings: &Settings) -> Value {
        match &self.told {
            Told::Service(code, text) => match settings.error_body {
                ErrorBody::Description => json!({"description": text, "error_code": code.text(), "service_name": "Firmware"}),
                ErrorBody::Message => json!({"message": text}),
                ErrorBody::Empty => json!({}),
            },
            Told::Gateway(text) => json!({"message": text}),
            Told::Token(error, text) => json!({"error": error, "error_description": text}),
        }
    }

    /// What a fault rule gives that names a status alone.
    pub fn injected(status: u16) -> Self {
        match status {
            401 => Self::bad_token(),
            429 => Self::over_limit(),
            502..=504 => Self::gateway(status, "Injected by a fault rule."),
            _ => Self::new(status, Code::General, "Injected by a fault rule."),
        }
    }
}
