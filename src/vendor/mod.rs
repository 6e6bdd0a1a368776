//! Every byte to or from a vendor.

pub mod http;
pub mod vcenter;
