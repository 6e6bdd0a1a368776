//! Gates, story by story.
