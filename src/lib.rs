pub mod http;
pub mod source;
