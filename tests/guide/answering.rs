//! The patterns of question and answer: `lazy_pirate`, `paranoid_pirate`, `load_balancer`,
//! `majordomo`.

use super::support::{Program, Python};
use super::{new_endpoint, start, stop};

/// What keeps the programs quick to find out, but not so quick that they see ghosts all the time: a
/// second of silence.
const PACE: [&str; 4] = ["--heartbeat-ms", "50", "--liveness", "20"];

/// Clients ask again after half a second, and do not give up.
const INSISTENT: [&str; 4] = ["--timeout-ms", "500", "--retries", "1000"];

/// The client of `lazy_pirate`, which also serves others.
fn lazy_client(server: &str, requests: usize) -> Program {
    let requests = requests.to_string();
    let arguments = ["client", "--server", server, "--requests", &requests];
    start("lazy_pirate", &[&arguments, &INSISTENT])
}

/// Expects the answers to all questions of a client, in their order and once each, and its end.
async fn all_answered(mut client: Program, requests: usize, line: impl Fn(usize) -> String) {
    let expected: Vec<_> = (1..=requests).map(line).collect();
    assert_eq!(client.remaining_lines().await, expected);
    assert!(client.ended().await.success());
}

fn echo(number: usize) -> String {
    format!("question {number}: question {number}")
}

fn loud(number: usize) -> String {
    format!("question {number}: QUESTION {number}")
}

#[tokio::test]
async fn lazy_pirate_outlives_a_server_that_skips_freezes_and_dies() {
    let endpoint = new_endpoint();
    let server = ["server", "--endpoint", &endpoint];
    let faulty = ["--skip-every", "2", "--freeze-at", "4"];
    let client = lazy_client(&endpoint, 6);
    let mut first = start("lazy_pirate", &[&server, &faulty]);
    first.until(|line| line.ends_with(": skipped")).await;
    first.until(|line| line.ends_with(": frozen")).await;
    first.kill().await;
    let second = start("lazy_pirate", &[&server]);
    all_answered(client, 6, echo).await;
    stop(second).await;
}

#[tokio::test]
async fn lazy_pirate_gives_up_in_the_end() {
    let endpoint = new_endpoint();
    let arguments = ["client", "--server", &endpoint];
    let patience = ["--timeout-ms", "20", "--retries", "2"];
    let mut client = start("lazy_pirate", &[&arguments, &patience]);
    assert_eq!(client.ended().await.code(), Some(1));
    let said = client.error_lines().await;
    let asked_again = said.iter().filter(|line| line.contains("asking again"));
    assert_eq!(asked_again.count(), 3, "{said:#?}");
    assert!(said.iter().any(|line| line.contains("giving up")));
}

/// A paranoid pirate's queue and where it is.
struct Queue {
    clients: String,
    workers: String,
}

impl Queue {
    fn new() -> Self {
        Self {
            clients: new_endpoint(),
            workers: new_endpoint(),
        }
    }

    fn start(&self) -> Program {
        let arguments = [
            "queue",
            "--clients",
            &self.clients,
            "--workers",
            &self.workers,
        ];
        start("paranoid_pirate", &[&arguments, &PACE])
    }

    fn worker(&self, name: &str, work_ms: &str) -> Program {
        let arguments = ["worker", "--name", name, "--queue", &self.workers];
        let slow = ["--work-ms", work_ms];
        start("paranoid_pirate", &[&arguments, &slow, &PACE])
    }
}

/// Longer than any test.
const FOR_EVER: &str = "3600000";

#[tokio::test]
async fn paranoid_pirate_notices_a_frozen_worker_and_takes_it_back() {
    let at = Queue::new();
    let mut queue = at.start();
    let (anne, mary) = (at.worker("anne", "0"), at.worker("mary", "0"));
    queue.until(|line| line.starts_with("ready: ")).await;
    queue.until(|line| line.starts_with("ready: ")).await;
    all_answered(lazy_client(&at.clients, 10), 10, loud).await;

    // Nothing but the silence tells: the connection stays.
    anne.freeze().await;
    queue.until_line("gone: anne").await;
    all_answered(lazy_client(&at.clients, 10), 10, loud).await;

    anne.thaw().await;
    queue.until_line("ready: anne").await;
    let mut mary = mary;
    mary.kill().await;
    all_answered(lazy_client(&at.clients, 10), 10, loud).await;
    stop(anne).await;
    stop(queue).await;
}

#[tokio::test]
async fn paranoid_pirate_has_the_work_of_a_dead_worker_done_by_another() {
    let at = Queue::new();
    let mut queue = at.start();
    let mut slow = at.worker("slow", FOR_EVER);
    let client = lazy_client(&at.clients, 3);
    slow.until_line("question 1: begun").await;
    slow.kill().await;
    queue.until_line("gone: slow").await;
    let quick = at.worker("quick", "0");
    all_answered(client, 3, loud).await;
    stop(quick).await;
    stop(queue).await;
}

#[tokio::test]
async fn paranoid_pirates_workers_find_a_restarted_queue() {
    let at = Queue::new();
    let mut queue = at.start();
    let mut worker = at.worker("anne", "0");
    queue.until_line("ready: anne").await;
    queue.kill().await;
    worker.until_line("the queue is silent").await;
    let client = lazy_client(&at.clients, 3);
    let mut queue = at.start();
    queue.until_line("ready: anne").await;
    all_answered(client, 3, loud).await;
    stop(worker).await;
    stop(queue).await;
}

/// The broker of `load_balancer` and where it is.
struct Broker {
    clients: String,
    workers: String,
}

impl Broker {
    fn new() -> Self {
        Self {
            clients: new_endpoint(),
            workers: new_endpoint(),
        }
    }

    fn start(&self) -> Program {
        let arguments = [
            "broker",
            "--clients",
            &self.clients,
            "--workers",
            &self.workers,
        ];
        start("load_balancer", &[&arguments])
    }

    fn worker(&self, name: &str, options: &[&str]) -> Program {
        let arguments = ["worker", "--name", name, "--broker", &self.workers];
        start("load_balancer", &[&arguments, options])
    }

    fn clients(&self, clients: usize, requests: usize) -> Program {
        let (clients, requests) = (clients.to_string(), requests.to_string());
        let arguments = ["client", "--broker", &self.clients, "--timeout-ms", "500"];
        let numbers = ["--clients", &clients, "--requests", &requests];
        start("load_balancer", &[&arguments, &numbers])
    }

    /// Lets four clients ask five questions each, and checks the answers. Returns who gave them.
    async fn questions_are_answered(&self) -> Vec<String> {
        let mut client = self.clients(4, 5);
        let mut by = Vec::new();
        let mut answered = Vec::new();
        for line in client.remaining_lines().await {
            let (question, worker) = line.split_once(", done by ").expect("an answer");
            answered.push(question.to_owned());
            by.push(worker.to_owned());
        }
        assert!(client.ended().await.success());
        answered.sort();
        let expected: Vec<_> = (1..=4)
            .flat_map(|client| {
                (1..=5).map(move |number| format!("client {client}, question {number}"))
            })
            .collect();
        assert_eq!(answered, expected);
        by.sort();
        by.dedup();
        by
    }
}

#[tokio::test]
async fn load_balancer_lets_workers_of_both_kinds_come_and_die() {
    let at = Broker::new();
    let mut broker = at.start();
    let mut slow = at.worker("slow", &["--work-ms", FOR_EVER]);
    let mut client = at.clients(1, 1);
    slow.until_line("client 1, question 1: begun").await;
    slow.kill().await;
    let ada = at.worker("ada", &[]);
    broker.until_line("ready: ada").await;
    client
        .expect_line("client 1, question 1, done by ada")
        .await;
    assert!(client.ended().await.success());

    // Every job that bob may have at the same time is a turn of his.
    let mut bob = at.worker("bob", &["--jobs", "3"]);
    for _turn in 0..3 {
        broker.until_line("ready: bob").await;
    }
    assert_eq!(at.questions_are_answered().await, ["ada", "bob"]);
    bob.kill().await;
    assert_eq!(at.questions_are_answered().await, ["ada"]);
    stop(ada).await;
    stop(broker).await;
}

#[tokio::test]
async fn load_balancers_workers_find_a_restarted_broker() {
    let at = Broker::new();
    let mut broker = at.start();
    let (ada, bob) = (at.worker("ada", &[]), at.worker("bob", &["--jobs", "2"]));
    for _turn in 0..3 {
        broker.until(|line| line.starts_with("ready: ")).await;
    }
    broker.kill().await;
    let mut broker = at.start();
    for _turn in 0..3 {
        broker.until(|line| line.starts_with("ready: ")).await;
    }
    assert_eq!(at.questions_are_answered().await, ["ada", "bob"]);
    stop(ada).await;
    stop(bob).await;
    stop(broker).await;
}

fn majordomo_worker(broker: &str, service: &str, name: &str, work_ms: &str) -> Program {
    let arguments = ["worker", service, "--name", name, "--broker", broker];
    start("majordomo", &[&arguments, &["--work-ms", work_ms], &PACE])
}

fn majordomo_client(broker: &str, service: &str, patience: &[&str]) -> Program {
    let arguments = ["client", service, "--broker", broker, "--requests", "3"];
    start("majordomo", &[&arguments, patience])
}

fn tea(number: usize) -> String {
    format!("tea {number}: TEA {number}")
}

fn coffee(number: usize) -> String {
    format!("coffee {number}: COFFEE {number}")
}

#[tokio::test]
async fn majordomo_outlives_workers_and_brokers() {
    let endpoint = new_endpoint();
    let arguments = ["broker", "--endpoint", &endpoint];
    let mut broker = start("majordomo", &[&arguments, &PACE]);

    // The client asks once only: it is the broker that gives the job to another worker.
    let mut slow = majordomo_worker(&endpoint, "tea", "slow", FOR_EVER);
    broker.until_line("ready: slow").await;
    let once = ["--timeout-ms", FOR_EVER, "--retries", "0"];
    let client = majordomo_client(&endpoint, "tea", &once);
    slow.until_line("tea 1: begun").await;
    slow.kill().await;
    broker.until_line("gone: slow").await;
    let mut anne = majordomo_worker(&endpoint, "tea", "anne", "0");
    all_answered(client, 3, tea).await;

    // A request waits for somebody who offers the service, and for nobody else.
    let early = majordomo_client(&endpoint, "coffee", &once);
    let mary = majordomo_worker(&endpoint, "coffee", "mary", "0");
    all_answered(early, 3, coffee).await;

    broker.kill().await;
    let orphan = majordomo_client(&endpoint, "tea", &INSISTENT);
    anne.until_line("beginning anew").await;
    let mut broker = start("majordomo", &[&arguments, &PACE]);
    broker.until(|line| line.starts_with("ready: ")).await;
    broker.until(|line| line.starts_with("ready: ")).await;
    all_answered(orphan, 3, tea).await;
    all_answered(majordomo_client(&endpoint, "coffee", &INSISTENT), 3, coffee).await;

    // Who says goodbye is struck off at once.
    stop(mary).await;
    broker.until_line("gone: mary").await;
    stop(anne).await;
    stop(broker).await;
}

/// Freezing is what a broker can only learn from the silence.
#[tokio::test]
async fn majordomo_takes_the_job_of_a_frozen_worker_and_takes_the_worker_back() {
    let endpoint = new_endpoint();
    let arguments = ["broker", "--endpoint", &endpoint];
    let mut broker = start("majordomo", &[&arguments, &PACE]);
    let mut slow = majordomo_worker(&endpoint, "tea", "slow", FOR_EVER);
    let patient = ["--timeout-ms", FOR_EVER];
    let client = majordomo_client(&endpoint, "tea", &patient);
    slow.until_line("tea 1: begun").await;
    slow.freeze().await;
    broker.until_line("gone: slow").await;
    let quick = majordomo_worker(&endpoint, "tea", "quick", "0");
    all_answered(client, 3, tea).await;
    slow.thaw().await;
    broker.until_line("ready: slow").await;
    stop(slow).await;
    stop(quick).await;
    stop(broker).await;
}

/// Others keep to RFC 7 as well: a client and a worker that speak through libzmq.
#[tokio::test]
async fn majordomo_serves_and_employs_others() {
    let Some(python) = Python::find() else { return };
    let endpoint = new_endpoint();
    let mut broker = start("majordomo", &[&["broker", "--endpoint", &endpoint], &PACE]);
    let ours = majordomo_worker(&endpoint, "tea", "ours", "0");
    let theirs = python.program("majordomo.py", &["worker", &endpoint, "coffee"]);
    broker.until(|line| line.starts_with("ready: ")).await;
    broker.until(|line| line.starts_with("ready: ")).await;

    let mut client = python.program("majordomo.py", &["client", &endpoint, "tea"]);
    for (question, answer) in [("earl grey", "EARL GREY"), ("mint", "MINT")] {
        client.write_line(question).await;
        client.expect_line(answer).await;
    }
    let patient = ["--timeout-ms", FOR_EVER];
    let client = majordomo_client(&endpoint, "coffee", &patient);
    all_answered(client, 3, |number| {
        format!("coffee {number}: COFFEE {number} by python")
    })
    .await;
    drop(theirs);
    stop(ours).await;
    stop(broker).await;
}
