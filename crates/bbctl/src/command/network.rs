//! `bbctl network`.

use crate::cli::Output;
use crate::command::status::unknown;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::view::network as view;
use bitbuilder_core::model::Name;
use bitbuilder_core::trace::{Ends, Transport, Wanted, locate, trace};
use bitbuilder_host::observe::network::{networks, rules};
use bitbuilder_host::reconcile::{self, Rotated};
use clap::{Args, Subcommand};
use serde_json::json;

/// Look at tenants' networks: what there is, and what would happen to a packet.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl network show shop
  bbctl network trace shop --from web --to db --protocol tcp --port 5432
  bbctl network rotate-key shop office")]
pub(crate) struct Network {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show networks, addresses, links, published ports, peerings, and rules with what they counted.
    #[command(after_help = "\
What rules counted begins anew when rules of the tenant change.

Examples:
  bbctl network show
  bbctl network show shop --json")]
    Show {
        /// The tenant; every tenant by default.
        #[arg(value_parser = crate::context::tenant)]
        tenant: Option<Name>,
        #[command(flatten)]
        output: Output,
    },
    /// Say what would happen to the first packet of a connection, and which rule decides; none is sent.
    #[command(after_help = "\
An end is a workload, TENANT/WORKLOAD of another tenant, `host`, `outside`, or an address: also of a peer, or of another
station of a VLAN or segment.

Examples:
  bbctl network trace shop --from web --to db --protocol tcp --port 5432
  bbctl network trace shop --from outside --to host --port 8080
  bbctl network trace shop --from web --to 169.254.169.254 --port 80
  bbctl network trace shop --from web --to blog/main --protocol icmp")]
    Trace(Question),
    /// Give a WireGuard network another key; peers reach it again when they know the new public key.
    #[command(after_help = "Example:\n  bbctl network rotate-key shop office")]
    RotateKey {
        /// The tenant.
        #[arg(value_parser = crate::context::tenant)]
        tenant: Name,
        /// The network, of mode wireguard.
        #[arg(value_parser = crate::context::tenant)]
        network: Name,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Args)]
struct Question {
    /// The tenant.
    #[arg(value_parser = crate::context::tenant)]
    tenant: Name,
    /// Who sends.
    #[arg(long, value_name = "END")]
    from: Wanted,
    /// Who shall get it.
    #[arg(long, value_name = "END")]
    to: Wanted,
    /// tcp, udp or icmp.
    #[arg(long, value_name = "PROTOCOL", default_value = "tcp", value_parser = transport)]
    protocol: Transport,
    /// Port of who shall get it; tcp and udp need one.
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Between names: by IPv6.
    #[arg(long)]
    ipv6: bool,
    #[command(flatten)]
    output: Output,
}

impl Network {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        match &self.command {
            What::Show { tenant, output } => show(context, tenant.as_ref(), output),
            What::Trace(question) => question.run(context),
            What::RotateKey {
                tenant,
                network,
                output,
            } => rotate(context, tenant, network, output),
        }
    }
}

fn rotate(
    context: &Context,
    tenant: &Name,
    network: &Name,
    output: &Output,
) -> Result<Exit, CommandError> {
    let host = context.host()?;
    let Rotated { before, after } = reconcile::rotate_key(host.as_ref(), tenant, network)?;
    let told =
        json!({ "tenant": tenant, "network": network, "before": before, "publicKey": after });
    match output.json {
        true => context.ui.json(&told)?,
        false => context.ui.print(&format!(
            "Network {network} of {tenant} has another key: its peers need `publicKey: {after}`\nin place of {before}.\n"
        ))?,
    }
    Ok(Exit::Success)
}

fn show(context: &Context, tenant: Option<&Name>, output: &Output) -> Result<Exit, CommandError> {
    let host = context.host()?;
    let found = networks(host.as_ref(), tenant)?;
    if let (Some(id), []) = (tenant, found.as_slice()) {
        return Err(unknown(host.as_ref(), id)?.into());
    }
    match output.json {
        true => context.ui.json(&json!({ "tenants": found }))?,
        false => context.ui.print(&view::networks(&context.ui, &found))?,
    }
    Ok(Exit::Success)
}

impl Question {
    fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        match (self.protocol, self.port) {
            (Transport::Icmp, Some(_)) => {
                return Err(CommandError::usage("icmp has no ports: leave `--port` out"));
            }
            (Transport::Tcp | Transport::Udp, None) => {
                return Err(CommandError::usage(
                    "tcp and udp need a port: add `--port N`",
                ));
            }
            _ => {}
        }
        let host = context.host()?;
        let (rules, allocations) = rules(host.as_ref())?;
        if !allocations.tenants.contains_key(&self.tenant) {
            return Err(unknown(host.as_ref(), &self.tenant)?.into());
        }
        let ends = Ends {
            tenant: self.tenant.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            ipv6: self.ipv6,
        };
        let places = locate(&rules, &allocations, &ends)
            .map_err(|error| CommandError::refused(error.to_string()))?;
        let found = trace(&rules, &allocations, places, self.protocol, self.port)
            .map_err(|error| CommandError::refused(error.to_string()))?;
        match self.output.json {
            true => context.ui.json(&found)?,
            false => {
                let text = view::way(&context.ui, &found, self.protocol, self.port);
                context.ui.print(&text)?;
            }
        }
        Ok(Exit::Success)
    }
}

fn transport(text: &str) -> Result<Transport, String> {
    match text {
        "tcp" => Ok(Transport::Tcp),
        "udp" => Ok(Transport::Udp),
        "icmp" => Ok(Transport::Icmp),
        _ => Err("write `tcp`, `udp` or `icmp`".to_owned()),
    }
}
