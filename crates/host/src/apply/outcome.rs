//! How the steps of a plan went.

use bitbuilder_core::model::Name;
use bitbuilder_core::plan::Step;
use serde::{Deserialize, Serialize};

/// How a plan went, step by step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The tenant.
    pub tenant: Name,
    /// In the order of the plan.
    pub steps: Vec<StepReport>,
    /// A step before the switch failed, and what had been done was undone: the old generation goes on.
    pub undone: bool,
    /// What the undoing could not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_error: Option<String>,
}

impl Outcome {
    /// Whether no step failed and none was skipped.
    pub fn succeeded(&self) -> bool {
        self.steps
            .iter()
            .all(|report| matches!(report.result, StepResult::Done | StepResult::Unchanged))
    }

    /// Whether any step changed something.
    pub fn changed(&self) -> bool {
        self.steps
            .iter()
            .any(|report| report.result == StepResult::Done)
    }

    /// The first failure, for people.
    pub fn error(&self) -> Option<&str> {
        self.steps.iter().find_map(|report| match &report.result {
            StepResult::Failed { error } => Some(error.as_str()),
            _ => None,
        })
    }
}

/// How one step went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// The step.
    pub step: Step,
    /// How it went.
    pub result: StepResult,
}

/// How a step went, in one word and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum StepResult {
    /// It changed something.
    Done,
    /// All was so already.
    Unchanged,
    /// It failed.
    Failed {
        /// Why.
        error: String,
    },
    /// It was not tried.
    Skipped {
        /// Why.
        because: String,
    },
}

/// Progress, as it happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// A step begins.
    Started {
        /// Of this tenant.
        tenant: Name,
        /// The step.
        step: Step,
    },
    /// A step ended.
    Ended {
        /// Of this tenant.
        tenant: Name,
        /// The step and how it went.
        report: StepReport,
    },
    /// The manager reloads.
    Reloading,
    /// The manager has reloaded.
    Reloaded {
        /// Why not, if it has not.
        error: Option<String>,
    },
}
