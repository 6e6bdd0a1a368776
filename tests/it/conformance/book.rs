//! What the proxy said of each exchange, the verdict on all of them, and the table that people read.
//!
//! Written by [`front`](super::front), judged at the end of a story. Nothing is forgiven by default: what the proxy calls a warning is a
//! violation, too, unless a [`Grace`] names that operation and status, and a grace that nothing needed is one as well.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Mutex;

use http::Response;
use http::Uri;
use http::header;
use serde::Deserialize;
use serde_json::Value;

use super::spec::Spec;
use crate::proof::show;
use crate::sim::lock;

/// The header in which the proxy says it.
pub const VIOLATIONS: &str = "sl-violations";

/// What the operator calls itself begins so.
const OPERATOR: &str = "windlass/";

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The operator's own binary.
    Operator,
    /// The story.
    Script,
}

/// Which side a remark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What was sent.
    Request,
    /// What the simulator answered.
    Response,
}

/// What the proxy remarked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// About whom.
    pub side: Side,
    /// An error, and not a warning.
    pub error: bool,
    /// Where, and what.
    pub text: String,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    location: Vec<Value>,
    severity: String,
    message: String,
}

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Who asked.
    pub by: By,
    /// GET and so on.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// With its question mark; often empty.
    pub query: String,
    /// 0 where there was no answer.
    pub status: u16,
    /// What the proxy said.
    pub remarks: Vec<Remark>,
    /// Why nothing can be said of it.
    pub lost: Option<String>,
}

impl Exchange {
    /// A request that is on its way.
    pub fn of(agent: &str, method: &str, uri: &Uri) -> Exchange {
        Exchange {
            by: if agent.starts_with(OPERATOR) { By::Operator } else { By::Script },
            method: method.to_owned(),
            path: uri.path().to_owned(),
            query: uri.query().map(|query| format!("?{query}")).unwrap_or_default(),
            status: 0,
            remarks: Vec::new(),
            lost: None,
        }
    }

    /// Its answer.
    pub fn answered<T>(&mut self, response: &Response<T>) {
        self.status = response.status().as_u16();
        let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes().to_vec());
        if kind.is_some_and(|kind| kind.starts_with(b"application/problem+json")) {
            self.lost("answered by the proxy, not by the simulator");
        }
        for said in response.headers().get_all(VIOLATIONS) {
            match serde_json::from_slice::<Vec<Said>>(said.as_bytes()) {
                Ok(all) => self.remarks.extend(all.iter().map(Remark::of)),
                Err(error) => self.lost(&format!("what the proxy says cannot be read: {error}")),
            }
        }
    }

    /// Nothing can be said of it.
    pub fn lost(&mut self, why: &str) {
        self.lost = Some(why.to_owned());
    }

    /// What is wrong with one side.
    pub fn errors(&self, side: Side) -> impl Iterator<Item = &Remark> {
        self.remarks.iter().filter(move |remark| remark.side == side && remark.error)
    }

    fn line(&self) -> String {
        format!("{:?}: {} {}{} {}", self.by, self.method, self.path, self.query, self.status)
    }
}

impl Remark {
    fn of(said: &Said) -> Remark {
        let place: Vec<String> = said
            .location
            .iter()
            .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
            .collect();
        Remark {
            // Whatever is not said to be about the answer is about the request: it counts either way.
            side: if place.first().is_some_and(|side| side == "response") {
                Side::Response
            } else {
                Side::Request
            },
            error: said.severity == "Error",
            text: format!("{}: {}", place.join("."), said.message),
        }
    }
}

/// What is not in the specification, and right all the same.
pub struct Grace {
    /// The operation as the table writes it, or the whole path of something that the specification does not have at all.
    pub of: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// Why.
    pub why: &'static str,
}

/// All exchanges through one front.
#[derive(Default)]
pub struct Book(Mutex<Vec<Exchange>>);

/// What came of a book.
#[derive(Debug, Default)]
pub struct Verdict {
    /// One line for each thing that is wrong.
    pub violations: Vec<String>,
    /// The table, the graces and the sum.
    pub text: String,
}

#[derive(Default)]
struct Row {
    operator: usize,
    script: usize,
    requests: usize,
    responses: usize,
    statuses: BTreeSet<u16>,
}

impl Book {
    /// Adds an exchange.
    pub fn write(&self, exchange: Exchange) {
        lock(&self.0).push(exchange);
    }

    /// All of them, oldest first.
    pub fn exchanges(&self) -> Vec<Exchange> {
        lock(&self.0).clone()
    }

    /// The newest.
    pub fn last(&self) -> Option<Exchange> {
        lock(&self.0).last().cloned()
    }

    /// Judges everything.
    pub fn judge(&self, spec: &Spec, graces: &[Grace]) -> Verdict {
        let mut verdict = Verdict::default();
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        let mut used = vec![0_usize; graces.len()];
        let (mut requests, mut responses) = (0, 0);
        let exchanges = self.exchanges();
        for exchange in &exchanges {
            let operation = spec.operation(&exchange.method, &exchange.path);
            let label = operation.map_or_else(|| format!("{} {}", exchange.method, exchange.path), ToString::to_string);
            let row = rows.entry(label.clone()).or_default();
            match exchange.by {
                By::Operator => row.operator += 1,
                By::Script => row.script += 1,
            }
            row.statuses.insert(exchange.status);
            if let Some(why) = &exchange.lost {
                verdict.violations.push(format!("{}: {why}", exchange.line()));
            }
            for remark in &exchange.remarks {
                let grace = graces.iter().position(|g| g.of == label && g.status == exchange.status);
                if let (false, Some(grace)) = (remark.error, grace) {
                    used[grace] += 1;
                    continue;
                }
                match remark.side {
                    Side::Request => (row.requests, requests) = (row.requests + 1, requests + 1),
                    Side::Response => (row.responses, responses) = (row.responses + 1, responses + 1),
                }
                verdict.violations.push(format!("{}: {}", exchange.line(), remark.text));
            }
        }
        let unused = graces.iter().zip(&used).filter(|(_, n)| **n == 0);
        let unneeded = unused.map(|(grace, _)| format!("nothing needed the grace for {} {}", grace.of, grace.status));
        verdict.violations.extend(unneeded);
        verdict.text = table(&rows);
        for (grace, n) in graces.iter().zip(&used) {
            let _ = writeln!(
                verdict.text,
                "not in the specification, {n}x: {} {}: {}",
                grace.of, grace.status, grace.why
            );
        }
        let by_operator = exchanges.iter().filter(|e| e.by == By::Operator).count();
        let _ = write!(
            verdict.text,
            "conformance of {}: {} calls (operator {by_operator}, script {}), {} of {} operations; violations by requests {requests}, by \
             responses {responses}; {} violations",
            spec.name,
            exchanges.len(),
            exchanges.len() - by_operator,
            rows.keys().filter(|label| spec.named(label).is_ok()).count(),
            spec.operations.len(),
            verdict.violations.len(),
        );
        verdict
    }

    /// Shows the verdict, and fails where it is not clean.
    pub fn assert_clean(&self, spec: &Spec, graces: &[Grace]) -> anyhow::Result<()> {
        let verdict = self.judge(spec, graces);
        show(&verdict.text);
        anyhow::ensure!(verdict.violations.is_empty(), "violations:\n{}", verdict.violations.join("\n"));
        Ok(())
    }

    /// What came of a story: where it failed, with what the proxy had remarked by then, which may be why.
    pub fn explains<T>(&self, spec: &Spec, came: anyhow::Result<T>) -> anyhow::Result<T> {
        let remarked = || format!("remarked by the proxy so far:\n{}", self.judge(spec, &[]).violations.join("\n"));
        came.map_err(|error| error.context(remarked()))
    }

    /// For a book of what was meant to be wrong: each remark of it is a violation, and none is forgiven.
    pub fn assert_counted(&self, spec: &Spec) -> anyhow::Result<()> {
        let wrong: usize = self.exchanges().iter().map(|exchange| exchange.remarks.len()).sum();
        let counted = self.judge(spec, &[]).violations.len();
        anyhow::ensure!(wrong > 0 && counted == wrong, "{counted} violations of {wrong}");
        Ok(())
    }

    /// Each of these operations, as the table writes them, was called by this one, and answered with 2xx: or what is clean says nothing.
    pub fn assert_called(&self, spec: &Spec, by: By, operations: &[&str]) -> anyhow::Result<()> {
        let good = |e: &&Exchange| e.by == by && e.lost.is_none() && (200..300).contains(&e.status);
        let exchanges = self.exchanges();
        let called: BTreeSet<String> = exchanges
            .iter()
            .filter(good)
            .filter_map(|e| spec.operation(&e.method, &e.path).map(ToString::to_string))
            .collect();
        for operation in operations {
            spec.named(operation)?;
            anyhow::ensure!(called.contains(*operation), "{by:?} never called {operation} with success");
        }
        Ok(())
    }

    /// Each status that the specification documents for these operations was answered, but for those named here.
    pub fn assert_every_status(&self, spec: &Spec, operations: &[&str], never: &[(&str, u16)]) -> anyhow::Result<()> {
        let exchanges = self.exchanges();
        for label in operations {
            let operation = spec.named(label)?;
            for status in &operation.statuses {
                let same = |e: &&Exchange| spec.operation(&e.method, &e.path) == Some(operation) && e.status == *status;
                let (seen, expected) = (exchanges.iter().any(|e| same(&e)), !never.contains(&(*label, *status)));
                anyhow::ensure!(seen == expected, "{label} {status}: answered {seen}, expected {expected}");
            }
        }
        Ok(())
    }
}

fn table(rows: &BTreeMap<String, Row>) -> String {
    let width = rows.keys().map(String::len).max().unwrap_or(0).max("operation".len());
    let mut text = format!(
        "\n{:width$}  operator  script  bad requests  bad responses  statuses\n",
        "operation"
    );
    for (label, row) in rows {
        let statuses: Vec<String> = row.statuses.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "{label:width$}  {:8}  {:6}  {:12}  {:13}  {}",
            row.operator,
            row.script,
            row.requests,
            row.responses,
            statuses.join(" ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::spec::Operation;
    use super::*;

    const WARNING: &str = r#"[{"location":["response"],"severity":"Warning","message":"no such status"}]"#;
    const ERROR: &str = r#"[{"location":["response","body","list",0],"severity":"Error","message":"must be object"}]"#;

    fn spec() -> Spec {
        let operation = Operation {
            method: "GET".to_owned(),
            path: "/tasks/{id}".to_owned(),
            action: None,
            statuses: vec![200, 404],
        };
        let (name, file) = ("a vendor", PathBuf::new());
        let operations = vec![operation];
        Spec { name, file, operations }
    }

    /// A book of one exchange about which the proxy said this.
    fn book(said: Option<&str>, kind: &str) -> Book {
        let book = Book::default();
        let mut exchange = Exchange::of("windlass/0", "GET", &Uri::from_static("/tasks/7?x=1"));
        let mut answer = Response::builder().status(404).header(header::CONTENT_TYPE, kind);
        if let Some(said) = said {
            answer = answer.header(VIOLATIONS, said);
        }
        exchange.answered(&answer.body(()).unwrap());
        book.write(exchange);
        book
    }

    fn violations(book: &Book, graces: &[Grace]) -> usize {
        book.judge(&spec(), graces).violations.len()
    }

    #[test]
    fn nothing_that_the_proxy_remarks_is_lost() {
        assert_eq!(violations(&book(None, "application/json"), &[]), 0);
        for said in [WARNING, ERROR, "[{]", "{}", ""] {
            assert_eq!(violations(&book(Some(said), "application/json"), &[]), 1, "{said}");
        }
        let by_itself = book(None, "application/problem+json; charset=utf-8");
        assert_eq!(violations(&by_itself, &[]), 1, "the proxy's own answer is nobody's");
    }

    #[test]
    fn a_grace_forgives_its_warning_and_nothing_else_and_has_to_be_needed() {
        let grace = |of, status| [Grace { of, status, why: "so" }];
        let (warned, wrong) = (book(Some(WARNING), ""), book(Some(ERROR), ""));
        assert_eq!(violations(&warned, &grace("GET /tasks/{id}", 404)), 0);
        for other in [grace("GET /tasks/{id}", 403), grace("GET /tasks", 404)] {
            assert_eq!(violations(&warned, &other), 2, "the warning, and a grace that nothing needed");
        }
        assert_eq!(violations(&wrong, &grace("GET /tasks/{id}", 404)), 2, "an error is never forgiven");
    }

    #[test]
    fn what_was_not_asked_or_not_answered_is_missed() {
        let book = book(None, "");
        let tasks = ["GET /tasks/{id}"];
        assert!(book.assert_called(&spec(), By::Operator, &tasks).is_err(), "404 is no success");
        assert!(book.assert_called(&spec(), By::Script, &tasks).is_err());
        assert!(book.assert_every_status(&spec(), &tasks, &[]).is_err(), "200 is missing");
        assert!(book.assert_every_status(&spec(), &tasks, &[("GET /tasks/{id}", 200)]).is_ok());
    }
}
