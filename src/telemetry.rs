//! Logs: one JSON object a line, flat, so that a query names a field and not a path.

use std::backtrace::Backtrace;
use std::backtrace::BacktraceStatus;
use std::fmt;
use std::panic::PanicHookInfo;

use serde_json::Map;
use serde_json::Value;
use tracing::Event;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::field::Visit;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::FormatEvent;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::FormattedFields;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::Clock;

/// Environment variable behind `--log-level`.
pub const LOG_ENV: &str = "WINDLASS_LOG";

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For a person at a terminal.
    Text,
}

/// Logs that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Neither a level nor filter directives.
    #[error(
        "log level {level:?} is neither error, warn, info, debug, trace nor a filter such as \"info,windlass::vendor=debug\": {because}"
    )]
    Level {
        /// What was given.
        level: String,
        /// What the parser says.
        because: String,
    },
    /// Set up twice.
    #[error("logs are already set up")]
    Already,
}

/// Sends logs of `level` and above to standard error and panics to the logs. Once per process.
pub fn init(level: &str, format: LogFormat, clock: Clock) -> Result<(), TelemetryError> {
    let filter = filter(level)?;
    let layer = layer(format, clock, std::io::stderr);
    tracing_subscriber::registry()
        .with(filter)
        .with(layer)
        .try_init()
        .map_err(|_| TelemetryError::Already)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// A bare level is ours: below info, our dependencies stay at info, because what they print while debugging (a URL with its query,
/// where Aruba wants secrets) is not ours to redact. Filter directives are taken as they are.
fn filter(level: &str) -> Result<Targets, TelemetryError> {
    let directives = match level.trim() {
        "" => "info".to_string(),
        bare @ ("debug" | "trace") => format!("info,windlass={bare}"),
        given => given.to_string(),
    };
    // A typo would otherwise be taken for the name of a module that logs nothing.
    let is_word = directives.chars().all(|c| c.is_ascii_alphanumeric());
    let known = ["off", "error", "warn", "info"]
        .iter()
        .any(|known| directives.eq_ignore_ascii_case(known));
    let wrong = |because: &str| TelemetryError::Level {
        level: level.to_string(),
        because: because.to_string(),
    };
    if is_word && !known {
        return Err(wrong("unknown level"));
    }
    if directives.contains(['[', '{']) {
        return Err(wrong("lines are chosen by level and module only, not by span or field"));
    }
    directives.parse().map_err(|error: ParseError| wrong(&error.to_string()))
}

fn layer<S, W>(format: LogFormat, clock: Clock, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Internal errors would be printed with a macro that panics when standard error is gone, which is when there are some.
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).log_internal_errors(false);
    match format {
        LogFormat::Json => Box::new(layer.fmt_fields(JsonFields::new()).event_format(Lines { clock })),
        LogFormat::Text => Box::new(layer.with_ansi(false)),
    }
}

/// Unwinding or aborting goes on as the build says; only the words go to the logs instead of being printed in between.
fn log_panic(info: &PanicHookInfo<'_>) {
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current().name().unwrap_or("unnamed").to_string();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    let because = info.payload_as_str().unwrap_or("a panic without words");
    tracing::error!(because, location, thread, backtrace, "panic");
}

/// The JSON format: `ts`, `level`, `msg`, `module`, then the fields of the spans around (outermost first) and of the event, which wins.
struct Lines {
    clock: Clock,
}

/// The names that a field cannot take over. Where a line comes from is not called `target` as in tracing: that word is an upgrade's.
const FIXED: [&str; 4] = ["ts", "level", "msg", "module"];

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Line {
            msg: String::new(),
            module: event.metadata().target().to_string(),
            fields: Map::new(),
        };
        for span in ctx
            .event_scope()
            .into_iter()
            .flat_map(tracing_subscriber::registry::Scope::from_root)
        {
            let extensions = span.extensions();
            let formatted = extensions.get::<FormattedFields<N>>().map(|fields| fields.fields.as_str());
            if let Some(Ok(fields)) = formatted.map(serde_json::from_str::<Map<String, Value>>) {
                line.fields.extend(fields);
            }
        }
        event.record(&mut line);
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        let mut whole = Map::new();
        whole.insert("ts".to_string(), format!("{:.6}", self.clock.wall()).into());
        whole.insert("level".to_string(), level.into());
        whole.insert("msg".to_string(), line.msg.into());
        whole.insert("module".to_string(), line.module.into());
        whole.extend(line.fields.into_iter().filter(|(name, _)| !FIXED.contains(&name.as_str())));
        writeln!(writer, "{}", Value::Object(whole))
    }
}

struct Line {
    msg: String,
    module: String,
    fields: Map<String, Value>,
}

impl Line {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(msg)) => self.msg = msg,
            // Records of the `log` crate carry where they come from in fields.
            ("log.target", Value::String(module)) => self.module = module,
            ("log.module_path" | "log.file" | "log.line", _) => {}
            (name, value) => {
                self.fields.insert(name.strip_prefix("r#").unwrap_or(name).to_string(), value);
            }
        }
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: &str, what: impl FnOnce()) -> String {
        let paper = Paper::default();
        let writer = paper.clone();
        let layer = layer(format, Clock::system(), move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(filter(level).unwrap()).with(layer);
        tracing::subscriber::with_default(subscriber, what);
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn one_line(what: impl FnOnce()) -> Value {
        let text = logged(LogFormat::Json, "info", what);
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_line_is_one_flat_json_object() {
        let line = one_line(|| tracing::info!(kind = "Connection", attempt = 3, took = true, "say \"hello\"\nagain"));
        assert!(line["ts"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
        assert_eq!(line["level"], "info");
        assert_eq!(line["msg"], "say \"hello\"\nagain");
        assert_eq!(line["module"], "windlass::telemetry::tests");
        assert_eq!(line["kind"], "Connection");
        assert_eq!(line["attempt"], 3);
        assert_eq!(line["took"], true);
    }

    #[test]
    fn fields_of_spans_are_flat_and_the_inner_one_wins() {
        let line = one_line(|| {
            let _outer = tracing::info_span!("reconcile", name = "outer", generation = 2).entered();
            let _inner = tracing::info_span!("start", name = "inner").entered();
            tracing::warn!(level = "fake", "careful");
        });
        assert_eq!(line["name"], "inner");
        assert_eq!(line["generation"], 2);
        assert_eq!(line["level"], "warn", "a field does not take over a fixed name");
    }

    #[test]
    fn the_target_of_an_upgrade_is_in_the_line() {
        let line = one_line(|| tracing::info!(receipt = "r-1", target = "vcenter|vc1|domain-c8", module = "fake", "permit issued"));
        assert_eq!(line["target"], "vcenter|vc1|domain-c8");
        assert_eq!(line["module"], "windlass::telemetry::tests");
    }

    #[test]
    fn a_panic_is_a_line_of_its_own() {
        // The hook is the whole process's, so it is set no longer than the panic takes; the line goes to this thread's subscriber.
        let line = one_line(|| {
            std::panic::set_hook(Box::new(log_panic));
            let caught = std::panic::catch_unwind(|| panic!("the pawl slipped"));
            drop(std::panic::take_hook());
            assert!(caught.is_err());
        });
        assert_eq!(line["level"], "error");
        assert_eq!(line["msg"], "panic");
        assert_eq!(line["because"], "the pawl slipped");
        assert!(line["location"].as_str().unwrap().contains("telemetry.rs"), "{line}");
    }

    #[test]
    fn a_bare_debug_is_for_this_program_only() {
        let text = logged(LogFormat::Json, "debug", || {
            tracing::debug!("ours");
            tracing::debug!(target: "reqwest::connect", "theirs");
            tracing::info!(target: "kube_client", "theirs, at info");
        });
        assert!(
            text.contains("ours") && text.contains("theirs, at info") && !text.contains("\"theirs\""),
            "{text}"
        );
    }

    #[test]
    fn text_is_for_people() {
        let text = logged(LogFormat::Text, "info", || tracing::info!(kind = "Connection", "hello"));
        assert!(text.contains("hello") && !text.starts_with('{'), "{text}");
    }

    #[test]
    fn a_typo_in_the_level_is_an_error_not_silence() {
        assert!(filter("inof").is_err());
        assert!(filter("WARN").is_ok());
        assert!(filter("info,windlass::vendor=debug").is_ok());
        assert!(filter("windlass=loud").is_err());
        assert!(
            filter("windlass[span]=debug").is_err(),
            "spans are no modules, and a filter by them would let nothing through"
        );
    }
}
