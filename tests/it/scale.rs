//! How much the stories that can do any amount of work are to do.

/// Whether everything is to be run: `WINDLASS_TEST_SCALE=large`.
pub fn large() -> bool {
    std::env::var("WINDLASS_TEST_SCALE").is_ok_and(|scale| scale == "large")
}
