//! Who may have tokens: a client of the API, the user who logs in with it, and for which customer.
//!
//! Made by tests and given to `Config`. In Central a client belongs to the user who made it; here the two are one.

use super::super::secret::Secret;
use super::estate::{self, MSP};

/// A client with its user.
#[derive(Clone, Debug)]
pub struct Account {
    pub client_id: String,
    pub client_secret: Secret,
    pub user: String,
    pub password: Secret,
    /// For whom its tokens are: the provider, or one of the customers.
    pub customer: String,
    /// May change something.
    pub writes: bool,
}

impl Account {
    /// The provider's, who may do everything to every customer.
    pub fn msp(client_id: &str, client_secret: &str, user: &str, password: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            client_secret: Secret::new(client_secret),
            user: user.to_owned(),
            password: Secret::new(password),
            customer: MSP.to_owned(),
            writes: true,
        }
    }

    /// May look only.
    #[must_use]
    pub fn reading(mut self) -> Self {
        self.writes = false;
        self
    }

    /// The customer's own, who is nothing at the provider's level.
    #[must_use]
    pub fn of_customer(mut self, number: u16) -> Self {
        self.customer = estate::customer(number);
        self
    }

    pub fn is_msp(&self) -> bool {
        self.customer == MSP
    }
}
