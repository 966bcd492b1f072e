//! The examples as a reader runs them: as programs beside each other, and beside small originals in
//! Python that speak through libzmq, in either role.

#[macro_use]
mod support;

use std::time::Duration;

use support::{DEADLINE, Program, Python, free_port};

/// Which implementation plays a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cast {
    Rust,
    Python,
}

use Cast::{Python as Original, Rust as Ours};

/// Makes tests of `async fn scenario(stage: Stage, one: Cast, other: Cast)`, in every cast.
macro_rules! in_either_role {
    ($($scenario:ident),+ $(,)?) => { $(
        mod $scenario {
            use super::*;

            #[tokio::test]
            async fn ours_with_ours() {
                super::$scenario(Stage { python: None }, Ours, Ours).await;
            }

            #[tokio::test]
            async fn ours_with_original() {
                let Some(python) = Python::find() else { return };
                super::$scenario(Stage { python: Some(python) }, Ours, Original).await;
            }

            /// If this fails, the others tell nothing about the library.
            #[tokio::test]
            async fn original_with_original() {
                let Some(python) = Python::find() else { return };
                super::$scenario(Stage { python: Some(python) }, Original, Original).await;
            }

            #[tokio::test]
            async fn original_with_ours() {
                let Some(python) = Python::find() else { return };
                super::$scenario(Stage { python: Some(python) }, Original, Ours).await;
            }
        }
    )+ };
}

in_either_role!(
    request_and_reply,
    the_client_may_come_first,
    publish_and_subscribe,
    a_pipeline_with_a_ventilator_and_a_sink,
    a_pipeline_with_workers_of_both_kinds,
);

/// Starts the programs of a play.
struct Stage {
    python: Option<Python>,
}

impl Stage {
    /// Starts a program. Ours take endpoints as options where the originals take them in order:
    /// `options` are for ours.
    fn start(&self, cast: Cast, name: &str, arguments: &[&str]) -> Program {
        match cast {
            Ours => Program::example(name, arguments),
            Original => {
                let python = self.python.as_ref().expect("a Python for the originals");
                python.program(&format!("{name}.py"), arguments)
            }
        }
    }

    fn ventilator(&self, cast: Cast, jobs: &str, workers: &str, sink: &str) -> Program {
        match cast {
            Ours => self.start(
                cast,
                "ventilator",
                &["--jobs", jobs, "--workers", workers, "--sink", sink],
            ),
            Original => self.start(cast, "ventilator", &[jobs, workers, sink]),
        }
    }

    fn worker(&self, cast: Cast, ventilator: &str, sink: &str) -> Program {
        match cast {
            Ours => self.start(
                cast,
                "worker",
                &["--ventilator", ventilator, "--sink", sink],
            ),
            Original => self.start(cast, "worker", &[ventilator, sink]),
        }
    }

    fn sink(&self, cast: Cast, endpoint: &str) -> Program {
        match cast {
            Ours => self.start(cast, "sink", &["--endpoint", endpoint]),
            Original => self.start(cast, "sink", &[endpoint]),
        }
    }
}

fn new_endpoint() -> String {
    format!("tcp://127.0.0.1:{}", free_port())
}

/// The port of an endpoint, as one types it.
fn port_of(endpoint: &str) -> &str {
    endpoint.rsplit(':').next().expect("an endpoint has a port")
}

async fn request_and_reply(stage: Stage, server: Cast, client: Cast) {
    let endpoints = [new_endpoint(), new_endpoint()];
    let mut rep = stage.start(server, "rep", &[&endpoints[0], &endpoints[1]]);
    // The first client gives an endpoint and ends with its input; the second gives a port and ends
    // at an empty line.
    let mut first = stage.start(client, "req", &[&endpoints[0]]);
    let mut second = stage.start(client, "req", &[port_of(&endpoints[1])]);

    for text in ["hello", "how are you, server?", " æøå "] {
        for req in [&mut first, &mut second] {
            req.write_line(text).await;
            rep.expect_line(&format!("Received request: {text}")).await;
            req.expect_line(&format!("> * {text}")).await;
        }
    }
    first.end_input();
    second.write_line("").await;
    for mut req in [first, second] {
        assert_eq!(req.next_line().await, None);
        assert!(req.ended().await.success());
    }
}

async fn the_client_may_come_first(stage: Stage, server: Cast, client: Cast) {
    let endpoint = new_endpoint();
    let mut req = stage.start(client, "req", &[&endpoint]);
    req.write_line("hello").await;
    let mut rep = stage.start(server, "rep", &[&endpoint]);
    rep.expect_line("Received request: hello").await;
    req.expect_line("> * hello").await;
}

async fn publish_and_subscribe(stage: Stage, publisher: Cast, subscriber: Cast) {
    let endpoint = new_endpoint();
    let mut publisher = stage.start(publisher, "publisher", &[&endpoint]);
    let mut weather = stage.start(subscriber, "subscriber", &[&endpoint, "weather"]);
    let mut everything = stage.start(subscriber, "subscriber", &[&endpoint]);

    // Who joins late misses what was said before, and nobody tells when they have joined: call
    // until both are heard.
    for listener in [&mut weather, &mut everything] {
        until_heard(&mut publisher, listener, "weather", "call").await;
    }
    for (topic, content) in [
        ("sports", "3:1"),
        ("weather", "4 C"),
        ("traffic", "none"),
        ("weather", "the end"),
    ] {
        publisher.write_line(topic).await;
        publisher.write_line(content).await;
    }
    assert_eq!(
        lines_after_calls(&mut weather).await,
        ["Got: weather 4 C", "Got: weather the end"]
    );
    assert_eq!(
        lines_after_calls(&mut everything).await,
        [
            "Got: sports 3:1",
            "Got: weather 4 C",
            "Got: traffic none",
            "Got: weather the end"
        ]
    );
    publisher.end_input();
    assert!(publisher.ended().await.success());
}

async fn until_heard(publisher: &mut Program, listener: &mut Program, topic: &str, content: &str) {
    let calling = async {
        loop {
            publisher.write_line(topic).await;
            publisher.write_line(content).await;
            let patience = Duration::from_millis(20);
            if let Ok(line) = tokio::time::timeout(patience, listener.next_line()).await {
                assert_eq!(line, Some(format!("Got: {topic} {content}")));
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, calling)
        .await
        .expect("a listener that comes late is heard in the end");
}

/// What a listener prints when the calls are over, up to the end of the programme.
async fn lines_after_calls(listener: &mut Program) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = listener.next_line().await.expect("a listener goes on");
        if line == "Got: weather call" {
            continue;
        }
        let is_last = line == "Got: weather the end";
        lines.push(line);
        if is_last {
            return lines;
        }
    }
}

const JOBS: usize = 20;

/// `ventilator` and `sink` are of one cast, the workers of the other.
async fn a_pipeline_with_a_ventilator_and_a_sink(stage: Stage, ends: Cast, middle: Cast) {
    let (workers_at, sink_at) = (new_endpoint(), new_endpoint());
    let mut sink = stage.sink(ends, &sink_at);
    let mut workers = [
        stage.worker(middle, &workers_at, &sink_at),
        stage.worker(middle, &workers_at, &sink_at),
    ];
    let mut ventilator = stage.ventilator(ends, &JOBS.to_string(), &workers_at, &sink_at);
    for _batch in 0..2 {
        ventilator.write_line("").await;
        for job in 0..JOBS {
            ventilator.expect_line(&format!("Send job {job}")).await;
        }
        assert_eq!(sink.sorted_lines(JOBS + 1).await, sink_lines());
    }
    ventilator.end_input();
    assert_eq!(ventilator.next_line().await, None);
    assert!(ventilator.ended().await.success());

    // What the workers did, together, is what there was to do.
    let mut done = Vec::new();
    for worker in &mut workers {
        worker.interrupt().await;
        done.extend(worker.remaining_lines().await);
    }
    let mut expected: Vec<String> = (0..JOBS)
        .flat_map(|job| [format!("got > job {job}"), format!("got > job {job}")])
        .collect();
    done.sort();
    expected.sort();
    assert_eq!(done, expected);
}

/// `ventilator` and `sink` are of different casts, and there is a worker of either.
async fn a_pipeline_with_workers_of_both_kinds(stage: Stage, head: Cast, end: Cast) {
    let (workers_at, sink_at) = (new_endpoint(), new_endpoint());
    let _workers = [
        stage.worker(head, &workers_at, &sink_at),
        stage.worker(end, &workers_at, &sink_at),
    ];
    let mut ventilator = stage.ventilator(head, &JOBS.to_string(), &workers_at, &sink_at);
    ventilator.write_line("").await;
    let mut sink = stage.sink(end, &sink_at);
    assert_eq!(sink.sorted_lines(JOBS + 1).await, sink_lines());
}

/// What the sink prints for one batch, sorted.
fn sink_lines() -> Vec<String> {
    let mut lines: Vec<String> = (0..JOBS)
        .map(|job| format!("sink > Done with job {job}"))
        .collect();
    lines.push("sink > Go".to_owned());
    lines.sort();
    lines
}

/// The options that end programs by themselves: a pipeline that needs nobody at a keyboard.
#[tokio::test]
async fn a_pipeline_runs_unattended_and_ends() {
    let (workers_at, sink_at) = (new_endpoint(), new_endpoint());
    let count = (2 * (JOBS + 1)).to_string();
    let mut sink = Program::example("sink", &["--count", &count, "--endpoint", &sink_at]);
    let jobs = JOBS.to_string();
    let batches = [
        "--jobs",
        &jobs,
        "--batches",
        "2",
        "--workers",
        &workers_at,
        "--sink",
        &sink_at,
    ];
    let mut ventilator = Program::example("ventilator", &batches);
    let mut worker = Program::example(
        "worker",
        &[
            "--delay-ms",
            "1",
            "--ventilator",
            &workers_at,
            "--sink",
            &sink_at,
        ],
    );
    assert!(ventilator.ended().await.success());
    assert!(sink.ended().await.success());
    let mut lines = sink.remaining_lines().await;
    lines.sort();
    let mut expected = [sink_lines(), sink_lines()].concat();
    expected.sort();
    assert_eq!(lines, expected);
    worker.interrupt().await;
    assert!(worker.ended().await.success());
}

#[tokio::test]
async fn programs_that_run_for_ever_end_properly_at_ctrl_c() {
    let (first, second) = (new_endpoint(), new_endpoint());
    let mut rep = Program::example("rep", &[&first]);
    let mut req = Program::example("req", &[&first]);
    let mut publisher = Program::example("publisher", &[&second]);
    let mut subscriber = Program::example("subscriber", &[&second]);
    // Both pairs are known to run, and so to listen to Ctrl-C, when something has gone through
    // them.
    req.write_line("hello").await;
    req.expect_line("> * hello").await;
    until_heard(&mut publisher, &mut subscriber, "weather", "call").await;
    for program in [&mut rep, &mut req, &mut publisher, &mut subscriber] {
        program.interrupt().await;
        assert!(program.ended().await.success());
    }
}

/// A line that is no UTF-8 is a line, and not the end of the input.
#[tokio::test]
async fn input_may_be_anything() {
    let endpoint = new_endpoint();
    let mut rep = Program::example("rep", &[&endpoint]);
    let mut req = Program::example("req", &[&endpoint]);
    for (line, text) in [
        (&b"caf\xe9"[..], "caf\u{fffd}"),
        (b"from Windows\r", "from Windows"),
        ("café".as_bytes(), "café"),
    ] {
        req.write_line(line).await;
        rep.expect_line(&format!("Received request: {text}")).await;
        req.expect_line(&format!("> * {text}")).await;
    }
}

/// A program that ends says what it could not send.
#[tokio::test]
async fn what_nobody_takes_is_told() {
    let sink_at = new_endpoint();
    let mut ventilator = Program::example(
        "ventilator",
        &[
            "--batches",
            "1",
            "--jobs",
            "0",
            "--workers",
            "tcp://127.0.0.1:*",
            "--sink",
            &sink_at,
        ],
    );
    let complaints = ventilator.error_lines().await;
    assert_eq!(
        complaints.last().map(String::as_str),
        Some("One message was not sent: nobody took it"),
        "{complaints:?}"
    );
    assert!(ventilator.ended().await.success());
}

/// A bad argument is told in a sentence that names it.
#[tokio::test]
async fn a_bad_endpoint_is_explained() {
    for (name, argument, part) in [
        (
            "rep",
            "carrier-pigeon://roof",
            "\"carrier-pigeon\" is unknown",
        ),
        (
            "req",
            "carrier-pigeon://roof",
            "\"carrier-pigeon\" is unknown",
        ),
        ("req", "70000", "the port \"70000\""),
        (
            "publisher",
            "carrier-pigeon://roof",
            "\"carrier-pigeon\" is unknown",
        ),
        (
            "subscriber",
            "carrier-pigeon://roof",
            "\"carrier-pigeon\" is unknown",
        ),
    ] {
        let mut program = Program::example(name, &[argument]);
        let complaint = program.error_lines().await.join("\n");
        assert!(complaint.contains(part), "{name}: {complaint}");
        assert_eq!(program.ended().await.code(), Some(1));
    }
}

/// The tour needs nothing and nobody, and shows every pattern over every transport.
#[tokio::test]
async fn the_tour_ends_by_itself() {
    let mut tour = Program::example::<&str>("tour", &[]);
    let lines = tour.remaining_lines().await;
    assert!(tour.ended().await.success(), "{lines:#?}");
    let mut parts = lines.split(|line| line.starts_with("====="));
    assert_eq!(
        parts.next().map(<[String]>::len),
        Some(1),
        "an empty line comes first"
    );
    for transport in ["tcp", "ipc", "inproc"] {
        assert!(lines.contains(&format!("===== {transport} =====")));
        let said = parts.next().expect("a part for every transport");
        let says = |speaker: &str, text: &str| {
            let of_speaker = |line: &&String| line.trim_start().starts_with(speaker);
            said.iter()
                .filter(of_speaker)
                .filter(|line| line.contains(text))
                .count()
        };
        assert_eq!(says("client", "Certainly!"), 2, "{said:#?}");
        assert_eq!(says("weather", "weather.oslo"), 1, "{said:#?}");
        assert_eq!(says("sports", "sports.oslo"), 1, "{said:#?}");
        assert_eq!(says("sink", "done by"), 4, "{said:#?}");
    }
}
