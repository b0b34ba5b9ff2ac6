//! A log that is too fast to be read in full, covered by way of CT logs and its search index.
mod plan;
