//! How many tests passed, failed and were skipped, read from what their runners print.

use std::fmt;
use std::process::Command;

use anyhow::Result;

use crate::process;

/// The result of a tier or of all of them.
#[derive(Default)]
pub(super) struct Count {
    pub(super) passed: u32,
    pub(super) failed: u32,
    pub(super) skipped: u32,
    /// One line for each failure that has a name.
    pub(super) failures: Vec<String>,
    /// One line for each skip: what and why.
    pub(super) skips: Vec<String>,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Count {
    /// One check that passed.
    pub(super) fn success() -> Self {
        Self { passed: 1, ..Self::default() }
    }

    /// One check that failed.
    pub(super) fn failure(why: String) -> Self {
        Self { failed: 1, failures: vec![why], ..Self::default() }
    }

    /// One check that was not made.
    pub(super) fn skip(why: String) -> Self {
        Self { skipped: 1, skips: vec![why], ..Self::default() }
    }

    /// Whether nothing was run at all.
    pub(super) fn is_empty(&self) -> bool {
        self.passed + self.failed + self.skipped == 0
    }

    /// Adds the result of the part called `name`.
    pub(super) fn add(&mut self, name: &str, part: Count) {
        self.passed += part.passed;
        self.failed += part.failed;
        self.skipped += part.skipped;
        self.failures.extend(part.failures.into_iter().map(|line| format!("{name}: {line}")));
        self.skips.extend(part.skips.into_iter().map(|line| format!("{name}: {line}")));
    }

    /// Takes note of one line of a test runner's output.
    fn read(&mut self, line: &str) {
        let line = line.trim();
        let summary = line.strip_prefix("test result: ").or(line.strip_prefix("Suite result: "));
        // Our own runner's last line is the summary without a prefix.
        let summary = summary.or_else(|| {
            let first = line.split(", ").next()?.strip_suffix(" passed")?;
            first.parse::<u32>().ok().map(|_| line)
        });
        if let Some(summary) = summary {
            self.passed += number_before(summary, "passed");
            self.failed += number_before(summary, "failed");
            self.skipped += number_before(summary, "ignored") + number_before(summary, "skipped");
        } else if let Some(name) = failed_test(line) {
            self.failures.push(name.to_owned());
        } else if let Some(name) = skipped_test(line) {
            self.skips.push(name.to_owned());
        }
    }
}

fn failed_test(line: &str) -> Option<&str> {
    let cargo = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... FAILED"));
    cargo.or(line.strip_prefix("not ok ")).or(line.starts_with("[FAIL").then_some(line))
}

fn skipped_test(line: &str) -> Option<&str> {
    let cargo = line.starts_with("test ") && line.contains(" ... ignored");
    let ours = line.strip_prefix("skip ");
    ours.or(cargo.then_some(line)).or(line.starts_with("[SKIP").then_some(line))
}

/// The number in front of `word` in a line such as `ok. 3 passed; 0 failed`.
fn number_before(line: &str, word: &str) -> u32 {
    let mut words = line.split([' ', ';', ',']).filter(|word| !word.is_empty());
    let mut before = words.next();
    for this in words {
        if this == word {
            return before.and_then(|number| number.parse().ok()).unwrap_or(0);
        }
        before = Some(this);
    }
    0
}

/// Runs a test runner, showing its output, and counts its tests. A runner that fails although no
/// test did, because something does not compile for example, is a failure itself.
pub(super) fn tests(what: &str, command: &mut Command) -> Result<Count> {
    let mut count = Count::default();
    let status = process::watch(command, |line| count.read(line))?;
    if !status.success() && count.failed == 0 {
        count.failed = 1;
        count.failures.push(format!("{what} ended with {status}"));
    }
    Ok(count)
}

/// Runs a command that is one check.
pub(super) fn check(what: &str, command: &mut Command) -> Result<Count> {
    let status = process::status(command)?;
    Ok(if status.success() {
        Count::success()
    } else {
        Count::failure(format!("{what} ({status})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(lines: &[&str]) -> Count {
        let mut count = Count::default();
        for line in lines {
            count.read(line);
        }
        count
    }

    #[test]
    fn cargo_s_results_are_summed() {
        let count = count(&[
            "running 2 tests",
            "test id::tests::a_name ... ok",
            "test id::tests::other ... FAILED",
            "test id::tests::later ... ignored, needs a network",
            "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s",
            "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ]);
        assert_eq!(count.to_string(), "5 passed, 1 failed, 1 skipped");
        assert_eq!(count.failures, ["id::tests::other"]);
        assert_eq!(count.skips, ["test id::tests::later ... ignored, needs a network"]);
    }

    #[test]
    fn forge_s_suites_are_summed_and_its_total_is_not_counted_again() {
        let count = count(&[
            "[PASS] test_create() (gas: 1)",
            "[FAIL: wrong role] test_roles() (gas: 1)",
            "Suite result: FAILED. 8 passed; 1 failed; 0 skipped; finished in 1.00ms (1.00ms CPU time)",
            "Ran 1 test suite in 2.00ms (1.00ms CPU time): 8 tests passed, 1 failed, 0 skipped (9 total tests)",
        ]);
        assert_eq!(count.to_string(), "8 passed, 1 failed, 0 skipped");
        assert_eq!(count.failures, ["[FAIL: wrong role] test_roles() (gas: 1)"]);
    }

    #[test]
    fn the_browser_runner_s_last_line_is_the_count() {
        let count = count(&[
            "ok members hear each other 812 ms",
            "not ok a stranger is refused 99 ms",
            "1 passed, 1 failed, 0 skipped",
        ]);
        assert_eq!(count.to_string(), "1 passed, 1 failed, 0 skipped");
        assert_eq!(count.failures, ["a stranger is refused 99 ms"]);
    }

    #[test]
    fn a_runner_that_fails_without_a_failed_test_is_a_failure() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'error: does not compile' >&2; exit 101"]);
        let count = tests("cargo test", &mut command).unwrap();
        assert_eq!(count.to_string(), "0 passed, 1 failed, 0 skipped");
    }
}
