//! Forms of text: format=flowed, enriched and rich text.

pub mod enriched;
pub mod flowed;
