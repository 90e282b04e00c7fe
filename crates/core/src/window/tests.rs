use super::*;
use crate::model::{Degraded, Millis};

fn policy(tries: u64) -> HealthPolicy {
    HealthPolicy {
        trial: Millis(0),
        window: Millis(60_000),
        tries,
        degraded: Degraded::Report,
    }
}

/// `g` good, `u` up, `r` up and not in the invocation of the first look, `c` coming, `d` down, `f` failed.
fn seen(letters: &str) -> Vec<Seen> {
    let one = |(index, letter): (usize, char)| Seen {
        unit: format!("{index}.service"),
        invocation: if letter == 'r' { "two" } else { "one" }.to_owned(),
        standing: match letter {
            'g' => Standing::Good,
            'u' | 'r' => Standing::Up,
            'c' => Standing::Coming(format!("{index} is starting")),
            'd' => Standing::Down(format!("{index} ended")),
            _ => Standing::Failed(format!("{index} failed")),
        },
    };
    letters.chars().enumerate().map(one).collect()
}

fn window(attempt: u64) -> Window {
    let invocations = (0..4).map(|index| (format!("{index}.service"), "one".to_owned()));
    Window {
        attempt,
        invocations: invocations.collect(),
        ..Window::new(3, 100, Way::Forward)
    }
}

fn decide(letters: &str, due: bool) -> Decision {
    window(1).decide(&policy(2), &seen(letters), due)
}

fn again(units: &[&str], reason: &str) -> Decision {
    Decision::TryAgain {
        units: units.iter().map(|unit| format!("{unit}.service")).collect(),
        reason: reason.to_owned(),
    }
}

#[test]
fn checks_that_are_passed_end_a_window_early() {
    for letters in ["", "g", "ggg"] {
        assert_eq!(decide(letters, false), Decision::Close, "{letters}");
    }
    for letters in ["u", "gu", "gc", "d", "r"] {
        assert_eq!(decide(letters, false), Decision::Wait, "{letters}");
    }
}

#[test]
fn a_failure_ends_a_window_early_and_starts_anew_what_does_not_work() {
    assert_eq!(decide("gf", false), again(&["1"], "1 failed"));
    assert_eq!(decide("cdf", false), again(&["0", "1", "2"], "2 failed"));
}

#[test]
fn at_the_end_everything_has_to_run() {
    for letters in ["u", "gu", "uu"] {
        assert_eq!(decide(letters, true), Decision::Close, "{letters}");
    }
    assert_eq!(decide("gc", true), again(&["1"], "1 is starting"));
    assert_eq!(decide("cd", true), again(&["0", "1"], "1 ended"));
}

#[test]
fn what_was_started_again_has_shown_nothing() {
    let Decision::TryAgain { units, reason } = decide("ur", true) else {
        panic!("it has to be tried again");
    };
    assert_eq!(units, ["1.service"]);
    assert!(reason.contains("1.service ended"), "{reason}");
    // In the next try it runs as it was started.
    assert!(window(1).again(5).invocations.is_empty());
    assert_eq!(window(1).again(5).attempt, 2);
}

#[test]
fn tries_run_out() {
    let reason = "0 failed".to_owned();
    let over = Decision::GiveUp { reason };
    assert_eq!(window(2).decide(&policy(2), &seen("f"), false), over);
    assert_eq!(window(1).decide(&policy(1), &seen("f"), true), over);
    // A policy that allows fewer than before counts at once.
    assert_eq!(window(5).decide(&policy(2), &seen("f"), true), over);
}

#[test]
fn a_generation_that_takes_the_host_down_runs_out_of_tries() {
    let mut window = window(1);
    for _ in 0..2 {
        window = window.restarted(7);
        assert_eq!(
            window.decide(&policy(2), &seen("g"), false),
            Decision::Close
        );
    }
    let decision = window.restarted(8).decide(&policy(2), &seen("g"), false);
    assert!(matches!(decision, Decision::GiveUp { .. }), "{decision:?}");
}

#[test]
fn outside_of_a_window_only_what_is_down_is_trouble() {
    assert_eq!(trouble(&seen("guc")), None);
    assert_eq!(trouble(&seen("gud")), Some("2 ended"));
    assert!(works(&seen("gu")));
    assert!(!works(&seen("gc")));
}

#[test]
fn a_window_of_an_earlier_format_is_read() {
    let text = r#"{"generation":2,"try":1,"since":9}"#;
    let window: Window = serde_json::from_str(text).unwrap();
    assert_eq!(window, Window::new(2, 9, Way::Forward));
}
