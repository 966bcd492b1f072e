//! The patterns that spread news: `espresso`, `last_value_cache`, `clone`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::support::{Program, within};
use super::{new_endpoint, start, stop};

/// Types a line again and again until a program says something to it that is waited for: there is
/// no other sign that two programs have found each other, or have lost each other.
async fn until_said(
    typist: &mut Program,
    line: &str,
    listener: &mut Program,
    wanted: impl Fn(&str) -> bool,
) {
    within(async {
        loop {
            typist.write_line(line).await;
            let patience = Duration::from_millis(20);
            while let Ok(said) = tokio::time::timeout(patience, listener.next_line()).await {
                if wanted(&said.expect("a listener goes on")) {
                    return;
                }
            }
        }
    })
    .await;
}

/// The numbers under a topic in the lines of `espresso`.
fn numbers(lines: &[String], topic: &str) -> Vec<u64> {
    let of_topic = lines.iter().filter_map(|line| line.strip_prefix(topic));
    of_topic
        .filter_map(|rest| rest.trim().parse().ok())
        .collect()
}

/// Fails unless there are some numbers, each of which follows the last.
fn assert_unbroken(numbers: &[u64]) {
    let first = numbers.first().expect("some news");
    let expected: Vec<u64> = (*first..).take(numbers.len()).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn espresso_shows_all_that_passes_while_subscribers_come_and_go() {
    let (publishers, subscribers) = (new_endpoint(), new_endpoint());
    let doors = ["--publishers", &publishers, "--subscribers", &subscribers];
    let mut proxy = start("espresso", &[&["proxy"], &doors]);
    let new_publisher = |first| {
        let arguments = ["publisher", "--proxy", &publishers, "--first", first];
        start("espresso", &[&arguments, &["--interval-ms", "2"]])
    };
    let new_subscriber = |topics| {
        start(
            "espresso",
            &[&["subscriber", "--proxy", &subscribers], topics],
        )
    };
    let mut publisher = new_publisher("1");
    let mut first = new_subscriber(&["A", "B"]);
    let mut heard = Vec::new();
    while heard.len() < 40 {
        heard.push(first.next_line().await.expect("a subscriber goes on"));
    }
    first.kill().await;
    let mut passed = Vec::new();
    let gone = [
        "no longer wanted: A".to_owned(),
        "no longer wanted: B".to_owned(),
    ];
    while !gone.iter().all(|line| passed.contains(line)) {
        passed.push(proxy.next_line().await.expect("the proxy goes on"));
    }
    let is_news = |line: &&String| !line.contains("wanted: ");
    let news: Vec<String> = passed.iter().filter(is_news).cloned().collect();
    assert!(passed.contains(&"wanted: A".to_owned()), "{passed:#?}");
    assert!(passed.contains(&"wanted: B".to_owned()), "{passed:#?}");
    // The subscriber got what passed, all of it, and nothing passed that nobody wanted.
    assert_eq!(news.get(..heard.len()), Some(&heard[..]));
    assert_unbroken(&numbers(&news, "A "));
    assert_unbroken(&numbers(&news, "B "));
    let wanted = numbers(&news, "A ").len() + numbers(&news, "B ").len();
    assert_eq!(news.len(), wanted, "{news:#?}");

    // The next one is heard by the publisher, too; and a restarted publisher by it, with the
    // subscription that it made before.
    let mut second = new_subscriber(&["C"]);
    proxy.until_line("wanted: C").await;
    let mut heard = Vec::new();
    while heard.len() < 10 {
        heard.push(second.next_line().await.expect("a subscriber goes on"));
    }
    assert_eq!(numbers(&heard, "C ").len(), heard.len(), "{heard:#?}");
    assert_unbroken(&numbers(&heard, "C "));
    publisher.kill().await;
    // It counts from so far on that its numbers cannot be the old one's.
    publisher = new_publisher("1000000000");
    let begins_anew = |line: &str| numbers(&[line.to_owned()], "C ") >= vec![1_000_000_000];
    proxy.until(begins_anew).await;
    second.until(begins_anew).await;
    for program in [publisher, second, proxy] {
        stop(program).await;
    }
}

/// A last value cache and where it is.
struct Cache {
    publisher: String,
    subscribers: String,
}

impl Cache {
    fn start(&self) -> Program {
        let arguments = ["cache", "--publisher", &self.publisher];
        let subscribers = ["--subscribers", &self.subscribers];
        start("last_value_cache", &[&arguments, &subscribers])
    }

    fn publisher(&self) -> Program {
        let arguments = ["publisher", "--endpoint", &self.publisher];
        start("last_value_cache", &[&arguments])
    }

    fn subscriber(&self, topic: &str) -> Program {
        let arguments = ["subscriber", topic, "--publisher", &self.subscribers];
        start("last_value_cache", &[&arguments])
    }
}

#[tokio::test]
async fn last_value_cache_tells_late_subscribers_what_they_have_missed() {
    let at = Cache {
        publisher: new_endpoint(),
        subscribers: new_endpoint(),
    };
    let (mut publisher, mut cache) = (at.publisher(), at.start());
    let kept = |line: &str| line == "kept: hello";
    until_said(&mut publisher, "hello there", &mut cache, kept).await;
    for line in [
        "weather.oslo 4",
        "sports 3:1",
        "weather.rome 20",
        "weather.oslo 5",
    ] {
        publisher.write_line(line).await;
    }
    cache.until_line("kept: weather.rome").await;
    cache.until_line("kept: weather.oslo").await;

    // The second one asks for what somebody has asked for already, and is told as well.
    let (mut first, mut second) = (at.subscriber("weather"), at.subscriber("weather"));
    for subscriber in [&mut first, &mut second] {
        subscriber.expect_line("weather.oslo: 5").await;
        subscriber.expect_line("weather.rome: 20").await;
    }
    // What they know is not told to them again because of others, and news goes to all.
    let mut third = at.subscriber("weather.oslo");
    third.expect_line("weather.oslo: 5").await;
    publisher.write_line("weather.oslo 6").await;
    for subscriber in [&mut first, &mut second, &mut third] {
        subscriber.expect_line("weather.oslo: 6").await;
    }

    // Without its publisher the cache remembers.
    publisher.kill().await;
    let mut late = at.subscriber("weather.");
    late.expect_line("weather.oslo: 6").await;
    late.expect_line("weather.rome: 20").await;

    // A new publisher is found, and so is a new cache, by those who have been there all the time.
    cache.kill().await;
    let (mut publisher, mut cache) = (at.publisher(), at.start());
    let news = |line: &str| line == "weather.oslo: 7";
    until_said(&mut publisher, "weather.oslo 7", &mut first, news).await;
    late.until_line("weather.oslo: 7").await;
    cache.until_line("kept: weather.oslo").await;
    for program in [first, second, third, late, publisher, cache] {
        stop(program).await;
    }
}

/// The server of `clone` and where it is.
struct Server {
    tables: String,
    updates: String,
    changes: String,
}

impl Server {
    fn new() -> Self {
        Self {
            tables: new_endpoint(),
            updates: new_endpoint(),
            changes: new_endpoint(),
        }
    }

    fn play(&self, role: &str, options: &[&str]) -> Program {
        let (tables, updates) = (["--tables", &self.tables], ["--updates", &self.updates]);
        let changes = ["--changes", &self.changes];
        start("clone", &[&[role], &tables, &updates, &changes, options])
    }

    fn start(&self) -> Program {
        self.play("server", &["--heartbeat-ms", "50"])
    }

    fn client(&self) -> Replica {
        Replica {
            client: self.play("client", &["--timeout-ms", "1000"]),
            number: None,
            entries: BTreeMap::new(),
            tables: 0,
            changes: 0,
        }
    }
}

/// A client, and the copy that follows from what it says.
struct Replica {
    client: Program,
    /// Of the last change; none before there is a table.
    number: Option<u64>,
    entries: BTreeMap<String, String>,
    /// How many tables it has been given.
    tables: u32,
    /// How many single changes have followed.
    changes: u32,
}

impl Replica {
    /// Takes one line, and checks that no change is lost or doubled.
    async fn step(&mut self) {
        let line = self.client.next_line().await.expect("a client goes on");
        if let Some(number) = line.strip_prefix("table at #") {
            self.number = Some(number.parse().expect("a number"));
            self.entries.clear();
            self.tables += 1;
            return;
        }
        let entry = match line.strip_prefix('#') {
            None => line.as_str(),
            Some(change) => {
                let (number, entry) = change.split_once(' ').expect("a number and an entry");
                let number: u64 = number.parse().expect("a number");
                assert_eq!(Some(number - 1), self.number, "before {line}");
                self.number = Some(number);
                self.changes += 1;
                entry
            }
        };
        let (key, value) = entry.split_once('=').expect("an entry");
        if value.is_empty() {
            self.entries.remove(key);
        } else {
            self.entries.insert(key.to_owned(), value.to_owned());
        }
    }

    /// Types a line until the copy is this: what is typed just when the server dies may be lost.
    async fn insist(&mut self, line: &str, expected: &BTreeMap<String, String>) {
        within(async {
            while self.entries != *expected {
                self.client.write_line(line).await;
                let patience = Duration::from_millis(20);
                while let Ok(()) = tokio::time::timeout(patience, self.step()).await {}
            }
        })
        .await;
    }

    /// Reads on until the copy is this.
    async fn until(&mut self, expected: &BTreeMap<String, String>) {
        within(async {
            while self.entries != *expected {
                self.step().await;
            }
        })
        .await;
    }
}

fn table(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    owned.collect()
}

#[tokio::test]
async fn clone_gives_a_late_client_everything_and_nothing_twice() {
    let at = Server::new();
    let mut server = at.start();
    let mut first = at.client();
    first.client.write_line("a=1").await;
    first.until(&table(&[("a", "1")])).await;

    // Somebody joins in the middle of a stream of changes, which goes on until it has both: a table
    // that was not empty, and changes that came after.
    let mut typed = 0_u32;
    let mut expected = table(&[("a", "1")]);
    let mut late = at.client();
    within(async {
        while late.changes < 20 {
            let (key, value) = (format!("key{}", typed % 7), typed.to_string());
            first.client.write_line(&format!("{key}={value}")).await;
            expected.insert(key, value);
            typed += 1;
            // In step with those who are there already, so that nobody's output piles up.
            let so_far = first.changes;
            while first.changes == so_far {
                first.step().await;
            }
            server.next_line().await;
            let patience = Duration::from_millis(1);
            while tokio::time::timeout(patience, late.step()).await.is_ok() {}
        }
    })
    .await;
    first.client.write_line("a=").await;
    first.client.write_line("end=here").await;
    expected.remove("a");
    expected.insert("end".to_owned(), "here".to_owned());
    first.until(&expected).await;
    late.until(&expected).await;
    // `a=1`, those in the loop, and two at the end.
    assert_eq!(first.number, Some(u64::from(typed) + 3));
    assert_eq!(late.number, first.number);
    // Nothing was lost, so one table was enough.
    assert_eq!((first.tables, late.tables), (1, 1));
    for program in [first.client, late.client, server] {
        stop(program).await;
    }
}

#[tokio::test]
async fn clones_agree_again_when_their_server_has_been_restarted() {
    let at = Server::new();
    let mut server = at.start();
    let (mut first, mut second) = (at.client(), at.client());
    first.client.write_line("a=1").await;
    second.client.write_line("b=2").await;
    for client in [&mut first, &mut second] {
        client.until(&table(&[("a", "1"), ("b", "2")])).await;
    }

    // The new server knows nothing of the old one's table, so nobody may go on believing in it;
    // and it counts from zero, so its numbers are old ones to those who look at nothing else.
    server.kill().await;
    let server = at.start();
    for client in [&mut first, &mut second] {
        client.until(&table(&[])).await;
    }
    second.insist("c=3", &table(&[("c", "3")])).await;
    let mut late = at.client();
    for client in [&mut first, &mut second, &mut late] {
        client.until(&table(&[("c", "3")])).await;
    }
    for program in [first.client, second.client, late.client, server] {
        stop(program).await;
    }
}
