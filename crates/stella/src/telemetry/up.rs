//! `up`: run the gateway until told to stop.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use control::Register;
use http::StatusCode;
use journal::Journal;
use meter::Meter;
use profile::{Port, Profile};
use sampling::Sampling;
use shipper::StatusHandle;
use tls::Keeper;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::EnvFilter;

use super::cluster::Told;
use super::data_dir::{DataDir, Encrypted, Running};
use super::notify::Notify;
use super::stack::Stack;
use super::{live, status};
use crate::cli::Up;
use crate::demo;
use crate::error::{CliError, CliResult, Exit};
use crate::ops::process::ProcessMetrics;
use crate::ops::server::{self, Page, Pages};
use crate::output::{self, Format};

/// Runs the gateway.
pub fn run(args: Up) -> CliResult {
    let profile = match &args.profile {
        Some(path) => profile::load(path)?,
        None => Profile::default(),
    };
    let live = args.output == Format::Text && std::io::stderr().is_terminal();
    start_log(&args)?;
    let data = DataDir::of(&args.data_dir)?;
    data.create()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Exit::Failure, format!("cannot start: {error}")))?;
    let result = runtime.block_on(serve(&args, &profile, &data, live));
    data.withdraw();
    result
}

async fn serve(args: &Up, profile: &Profile, data: &DataDir, live: bool) -> CliResult {
    let has_tls = |port| profile.tls.of(port).is_some();
    if args.demo && has_tls(Port::Grpc) {
        let message = "--demo sends in plaintext, but OTLP/gRPC has TLS in this profile";
        return Err(CliError::new(Exit::Usage, message)
            .hint("leave --demo out, or set `tls: { grpc: { enabled: false } }`"));
    }
    let stack = Stack::open(profile, data, args.insecure).await?;
    let running = Running {
        grpc: stack.gateway.grpc_addr(),
        http: stack.gateway.http_addr(),
        metrics: stack.metrics.addr()?,
        health: stack.health.addr()?,
        admin: stack.incidents.admin.addr()?,
        remote_sampling: stack.incidents.remote_addr()?,
        tls: Encrypted {
            grpc: has_tls(Port::Grpc),
            http: has_tls(Port::Http),
            metrics: stack.metrics.is_encrypted(),
            health: stack.health.is_encrypted(),
            admin: stack.incidents.admin.is_encrypted(),
        },
        data_dir: data.path().to_owned(),
        pid: std::process::id(),
    };
    data.announce(&running)?;
    print_start(args, &running, &stack)?;

    let Stack {
        meter,
        process,
        journal,
        guard,
        key_sets,
        gateway,
        shippers,
        statuses,
        sampling,
        follower,
        members,
        runner,
        metrics,
        health,
        incidents,
        keeper,
        notify,
        ..
    } = stack;
    let (stop_intake, stop_shipping, stop_sampling, stop_own) = (
        CancellationToken::new(),
        CancellationToken::new(),
        CancellationToken::new(),
        CancellationToken::new(),
    );
    let draining = Arc::new(AtomicBool::new(false));
    let own = TaskTracker::new();
    own.spawn(key_sets.keep(guard, stop_own.clone()));
    own.spawn(server::serve(
        metrics,
        server::from_pages(metrics_pages(&meter, &process)),
        stop_own.clone(),
    ));
    let register = incidents.register.clone();
    incidents.run(&own, &stop_own);
    let state = State {
        register,
        sampling: sampling.as_ref().map(Sampling::control),
        running,
        meter: meter.clone(),
        journal: journal.clone(),
        statuses,
        members,
        process,
        draining: Arc::clone(&draining),
    };
    own.spawn(server::serve(
        health,
        server::from_pages(health_pages(state)),
        stop_own.clone(),
    ));
    own.spawn(keep_tls(
        keeper,
        signal(SignalKind::hangup())?,
        stop_own.clone(),
    ));
    if live {
        own.spawn(live::show(meter.clone(), stop_own.clone()));
    }
    let shipping = TaskTracker::new();
    for shipper in shippers {
        shipping.spawn(shipper.run(stop_shipping.clone()));
    }
    if let Some(follower) = follower {
        shipping.spawn(follower.run(stop_shipping.clone()));
    }
    if let Some(runner) = runner {
        shipping.spawn(runner.run(stop_shipping.clone()));
    }
    shipping.close();
    let deciding = TaskTracker::new();
    if let Some(sampling) = sampling {
        deciding.spawn(sampling.run(stop_sampling.clone()));
    }
    deciding.close();
    // The handle is for whatever has something to tell.
    let (_outbox, telling) = notify.map(Notify::split).unzip();
    if let Some(telling) = telling {
        own.spawn(telling.run(stop_own.clone()));
    }
    if args.demo {
        let endpoint = format!("http://{}", gateway.grpc_addr());
        own.spawn(demo::run(endpoint, args.demo_rate, stop_intake.clone()));
    }
    let serving = tokio::spawn(gateway.serve(stop_intake.clone()));

    until_told().await?;
    tracing::info!("stopping: finishing what is under way");
    draining.store(true, Ordering::Release);
    stop_intake.cancel();
    // A second signal ends the process at once; the journal bears that.
    tokio::select! {
        result = stop(
            serving,
            [(&stop_shipping, &shipping), (&stop_sampling, &deciding)],
            &journal,
        ) => result?,
        told = until_told() => {
            told?;
            return Err(CliError::new(Exit::Failure, "stopped at once, by a second signal"));
        }
    }
    stop_own.cancel();
    own.close();
    own.wait().await;
    Ok(Exit::Success)
}

/// RESTARTABLE: the order of the data's way, so that each stage ends with nothing before it.
async fn stop(
    serving: tokio::task::JoinHandle<()>,
    stages: [(&CancellationToken, &TaskTracker); 2],
    journal: &Journal,
) -> CliResult<()> {
    let broken = |error: &dyn std::fmt::Display| {
        CliError::new(Exit::Failure, format!("while stopping: {error}"))
    };
    serving.await.map_err(|error| broken(&error))?;
    for (stop, stage) in stages {
        stop.cancel();
        stage.wait().await;
    }
    journal.close().await.map_err(|error| broken(&error))
}

/// Keeps TLS files up to date. SIGHUP makes it look at once, and ends nothing.
async fn keep_tls(keeper: Keeper, mut hangup: Signal, stop: CancellationToken) {
    let hurry = async {
        while hangup.recv().await.is_some() {
            keeper.hurry();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = keeper.run(stop) => {}
        () = hurry => {}
    }
}

async fn until_told() -> CliResult<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn start_log(args: &Up) -> CliResult<()> {
    let filter = EnvFilter::try_new(&args.log).map_err(|error| {
        CliError::new(Exit::Usage, format!("--log: {error}"))
            .hint("write a level such as `info`, or a filter such as `info,gateway=debug`")
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match args.log_format {
        Format::Text => log.init(),
        Format::Json => log.json().init(),
    }
    Ok(())
}

fn print_start(args: &Up, running: &Running, stack: &Stack) -> CliResult<()> {
    let mut out = output::stdout();
    if args.output == Format::Json {
        return Ok(output::print_json(&mut out, running)?);
    }
    let recovered = stack.recovery.to_string();
    if !recovered.is_empty() {
        writeln!(out, "{recovered}")?;
    }
    let scheme = Encrypted::scheme;
    let (metrics, health) = (scheme(running.tls.metrics), scheme(running.tls.health));
    let admin = scheme(running.tls.admin);
    running.print_otlp(&mut out)?;
    writeln!(out, "metrics     {metrics}://{}/metrics", running.metrics)?;
    writeln!(out, "health      {health}://{}/ready", running.health)?;
    writeln!(out, "admin       {admin}://{}/openapi.json", running.admin)?;
    if let Some(remote) = running.remote_sampling {
        writeln!(out, "sampling    http://{remote}/sampling")?;
    }
    writeln!(out, "data        {}", running.data_dir.display())?;
    for handle in &stack.statuses {
        let status = handle.get();
        writeln!(out, "ships to    {} ({})", status.name, status.destination)?;
    }
    out.flush()?;
    Ok(())
}

fn metrics_pages(meter: &Meter, process: &ProcessMetrics) -> Pages {
    let (meter, process) = (meter.clone(), process.clone());
    Arc::new(move |path| {
        (path == "/metrics").then(|| {
            process.refresh();
            Page {
                status: StatusCode::OK,
                content_type: meter::CONTENT_TYPE,
                text: meter.encode(),
            }
        })
    })
}

/// What the health port tells from.
struct State {
    running: Running,
    meter: Meter,
    journal: Journal,
    statuses: Vec<StatusHandle>,
    members: Option<Told>,
    process: ProcessMetrics,
    register: Register,
    sampling: Option<sampling::Control>,
    draining: Arc<AtomicBool>,
}

fn health_pages(state: State) -> Pages {
    Arc::new(move |path| match path {
        "/live" => Some(Page::text(StatusCode::OK, "live\n")),
        "/ready" => Some(ready(&state)),
        "/status" => {
            let report = status::Report::of(&status::Parts {
                running: &state.running,
                uptime_seconds: state.process.uptime_seconds(),
                meter: &state.meter,
                journal: &state.journal,
                statuses: &state.statuses,
                members: state.members.as_ref(),
                register: &state.register,
                sampling: state.sampling.as_ref(),
            });
            let text = serde_json::to_string(&report).unwrap_or_default();
            Some(Page {
                status: StatusCode::OK,
                content_type: "application/json",
                text,
            })
        }
        _ => None,
    })
}

fn ready(state: &State) -> Page {
    if state.draining.load(Ordering::Acquire) {
        return Page::text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match state.journal.trouble() {
        Some(trouble) => Page::text(StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")),
        None => Page::text(StatusCode::OK, "ready\n"),
    }
}
