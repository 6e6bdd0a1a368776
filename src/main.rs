//! The `windlass` binary; everything it does is in [`windlass::cli`].

fn main() -> std::process::ExitCode {
    windlass::cli::main()
}
