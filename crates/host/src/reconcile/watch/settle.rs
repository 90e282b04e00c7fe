//! Ends: of a window, and of a time in which something did not work.

use super::{Watch, clock};
use crate::reconcile::record::tell;
use crate::reconcile::state::Degradation;
use crate::reconcile::{HistoryEvent, PassError, TenantReport, Verdict};
use bitbuilder_core::window::Window;

impl Watch<'_> {
    /// It works.
    pub(super) fn close(&mut self) -> Result<TenantReport, PassError> {
        let id = &self.current.tenant;
        let generation = self.current.number;
        let mut state = self.state.clone();
        state.degraded = None;
        // What is on trial may be gone soon.
        if self.trial().is_none() {
            state.note_good(generation);
        }
        tell(self.host, id, state, HistoryEvent::Healthy { generation })?;
        clock::end(self.host, id)?;
        Ok(self.report(Verdict::Unchanged, None))
    }

    /// It does not work, and there is nothing to go back to: it stays as it is, and nobody starts it again.
    pub(super) fn stay(&mut self, reason: String) -> Result<TenantReport, PassError> {
        let id = self.current.tenant.clone();
        let generation = self.current.number;
        let mut state = self.state.clone();
        state.good.retain(|number| *number != generation);
        state.degraded = Some(Degradation {
            generation,
            since: self.host.now(),
            reason: reason.clone(),
            left: true,
        });
        let event = HistoryEvent::Degraded {
            generation,
            reason: reason.clone(),
        };
        tell(self.host, &id, state, event)?;
        clock::end(self.host, &id)?;
        let error = format!(
            "{reason}; its tries are over, and it is left as it is: push a commit that works, or `bbctl sync {id} --retry`"
        );
        Ok(self.report(Verdict::Failed, Some(error)))
    }

    /// It worked before, and does not now. With a `window` it has to show that it works, or is left.
    pub(super) fn degrade(
        &mut self,
        reason: String,
        window: Option<Window>,
    ) -> Result<TenantReport, PassError> {
        let id = &self.current.tenant;
        let generation = self.current.number;
        let mut state = self.state.clone();
        state.degraded = Some(Degradation {
            generation,
            since: self.host.now(),
            reason: reason.clone(),
            left: false,
        });
        if let Some(window) = &window {
            clock::begin(self.host, id, window)?;
        }
        state.window = window;
        tell(
            self.host,
            id,
            state,
            HistoryEvent::Degraded { generation, reason },
        )?;
        Ok(self.report(Verdict::Unchanged, None))
    }

    fn report(&self, verdict: Verdict, error: Option<String>) -> TenantReport {
        let mut report = TenantReport::new(self.current.tenant.clone(), verdict);
        report.generation = Some(self.current.number);
        report.commit = Some(self.current.commit.clone());
        report.error = error;
        report
    }
}
