//! How much the tests that can do any amount of work are to do.

/// `small`, or `large` if `WINDLASS_TEST_SCALE=large`.
pub fn at_scale(small: u32, large: u32) -> u32 {
    let large_wanted = std::env::var("WINDLASS_TEST_SCALE").is_ok_and(|scale| scale == "large");
    if large_wanted { large } else { small }
}
