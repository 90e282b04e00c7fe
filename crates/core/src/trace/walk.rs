//! The way of a packet through the hooks of the kernel.

use super::facts::{Facts, Link};
use super::judge::{Effect, judge};
use super::rules::{Rules, Table};
use super::{Action, Place, Step, Trace, TraceError, Transport, Verdict, origin};
use crate::allocate::Allocations;
use crate::nftables::DECIDED;
use std::net::IpAddr;

/// How deep chains may enter each other, as in the kernel.
const DEPTH: usize = 16;

/// What would happen to the first packet of a connection from `from` to `to`, under `rules`: those of all tenants whose
/// machines these are, and of who publishes the port.
///
/// # Errors
/// When a rule is not understood.
pub fn trace(
    rules: &Rules,
    allocations: &Allocations,
    (from, to): (Place, Place),
    transport: Transport,
    port: Option<u16>,
) -> Result<Trace, TraceError> {
    let way = Way {
        rules,
        allocations,
        steps: Vec::new(),
        to,
    };
    way.go(from, transport, port)
}

struct Way<'a> {
    rules: &'a Rules,
    allocations: &'a Allocations,
    steps: Vec<Step>,
    to: Place,
}

impl Way<'_> {
    fn go(
        mut self,
        from: Place,
        transport: Transport,
        port: Option<u16>,
    ) -> Result<Trace, TraceError> {
        let mut facts = Facts {
            iif: Link::of(&from),
            oif: None,
            mac: None,
            source: from.address(),
            destination: self.to.address(),
            transport,
            port,
            to_host: matches!(self.to, Place::Host { .. }),
            from_host: matches!(from, Place::Host { .. }),
            published: None,
        };
        let verdict = self.hooks(&from, &mut facts)?;
        let ended = |step: &&Step| match verdict {
            Verdict::Accept => matches!(step.action, Action::Accept),
            _ => matches!(step.action, Action::Drop | Action::Reject),
        };
        // A rule that a person wrote is a better reason than one that lets pass what it is not about.
        let written = |step: &&Step| origin(&step.rule).is_some();
        let decides = |step: &&Step| ended(step) && step.rule != DECIDED;
        let candidates = || self.steps.iter().rev().filter(decides);
        let decided = candidates().find(written).or_else(|| candidates().next());
        let decided = decided.cloned();
        Ok(Trace {
            from,
            to: self.to,
            verdict,
            origin: decided
                .as_ref()
                .and_then(|step| origin(&step.rule))
                .map(str::to_owned),
            decided,
            steps: self.steps,
        })
    }

    fn hooks(&mut self, from: &Place, facts: &mut Facts) -> Result<Verdict, TraceError> {
        if let Some((bridge, Some(own))) = from.links() {
            let mut bridged = Facts {
                iif: Some(Link::port(own)),
                mac: match from {
                    Place::Machine(machine) => Some(machine.mac.clone()),
                    _ => None,
                },
                ..facts.clone()
            };
            let passed = self.hook("bridge", "prerouting", &mut bridged)?;
            if passed != Verdict::Accept {
                return Ok(passed);
            }
            let to = self.to.clone();
            if let Some((other, Some(link))) = to.links()
                && other == bridge
            {
                bridged.oif = Some(Link::port(link));
                return self.hooks_of(&["forward", "postrouting"], &mut bridged);
            }
        }
        let routed = self.routed(facts)?;
        let to = self.to.clone();
        match (routed, to.links()) {
            // What is routed into a bridge is the host's own there.
            (Verdict::Accept, Some((_, Some(link)))) => {
                let mut bridged = Facts {
                    iif: None,
                    oif: Some(Link::port(link)),
                    ..facts.clone()
                };
                self.hooks_of(&["output", "postrouting"], &mut bridged)
            }
            (verdict, _) => Ok(verdict),
        }
    }

    /// Hooks of bridges, in order.
    fn hooks_of(&mut self, hooks: &[&str], facts: &mut Facts) -> Result<Verdict, TraceError> {
        for hook in hooks {
            let verdict = self.hook("bridge", hook, facts)?;
            if verdict != Verdict::Accept {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Accept)
    }

    fn routed(&mut self, facts: &mut Facts) -> Result<Verdict, TraceError> {
        let first = match facts.from_host {
            // Where it goes decides by which link, so that the rules of the output hook know it.
            true => {
                facts.oif = Link::of(&self.to);
                "output"
            }
            false => "prerouting",
        };
        let mut verdict = self.hook("inet", first, facts)?;
        if verdict == Verdict::Accept && !facts.from_host {
            facts.oif = Link::of(&self.to);
            let next = if facts.to_host { "input" } else { "forward" };
            verdict = self.hook("inet", next, facts)?;
        }
        if verdict == Verdict::Accept && !facts.to_host {
            return self.hook("inet", "postrouting", facts);
        }
        Ok(verdict)
    }

    /// Every chain that hangs in a hook.
    fn hook(&mut self, family: &str, hook: &str, facts: &mut Facts) -> Result<Verdict, TraceError> {
        for (table, chain) in self.rules.at(family, hook) {
            match self.chain(table, chain, facts, DEPTH)? {
                None | Some(Verdict::Accept) => {}
                Some(ended) => return Ok(ended),
            }
        }
        Ok(Verdict::Accept)
    }

    /// What a chain decides, if anything.
    fn chain(
        &mut self,
        table: &Table,
        name: &str,
        facts: &mut Facts,
        depth: usize,
    ) -> Result<Option<Verdict>, TraceError> {
        let broken = || TraceError::Chain(name.to_owned());
        let depth = depth.checked_sub(1).ok_or_else(broken)?;
        let chain = table.chains.get(name).ok_or_else(broken)?;
        for rule in &chain.rules {
            let effect = judge(table, rule, facts).map_err(|expression| TraceError::Unknown {
                chain: name.to_owned(),
                rule: rule.comment.clone(),
                expression: expression.to_string(),
            })?;
            let mut met = |action| {
                self.steps.push(Step {
                    family: table.family.clone(),
                    table: table.name.clone(),
                    chain: name.to_owned(),
                    rule: rule.comment.clone(),
                    action,
                });
            };
            match effect {
                Effect::None => {}
                Effect::Return => return Ok(None),
                Effect::Log => met(Action::Log),
                Effect::Accept => {
                    met(Action::Accept);
                    return Ok(Some(Verdict::Accept));
                }
                Effect::Drop => {
                    met(Action::Drop);
                    return Ok(Some(Verdict::Drop));
                }
                Effect::Reject => {
                    met(Action::Reject);
                    return Ok(Some(Verdict::Reject));
                }
                Effect::Masquerade => {
                    met(Action::Masquerade);
                    return Ok(Some(Verdict::Accept));
                }
                Effect::Dnat(address, port) => {
                    met(Action::Dnat { address, port });
                    self.redirect(facts, address, port);
                    return Ok(Some(Verdict::Accept));
                }
                Effect::Enter(target, back) => {
                    let ended = self.chain(table, &target, facts, depth)?;
                    if ended.is_some() || !back {
                        return Ok(ended);
                    }
                }
            }
        }
        Ok(None)
    }

    /// The packet goes to the machine behind a published port.
    fn redirect(&mut self, facts: &mut Facts, address: IpAddr, port: u16) {
        facts.published = facts.port;
        facts.destination = address;
        facts.port = Some(port);
        facts.to_host = false;
        if let Some(machine) = super::locate::machine(self.rules, self.allocations, address) {
            self.to = Place::Machine(machine);
        }
        if facts.from_host {
            facts.oif = Link::of(&self.to);
        }
    }
}
