//! A tour of ZeroMQ's three classic patterns, each over three transports, all in one process.
//!
//! ```text
//! cargo run --example tour
//! ```
//!
//! On the screen each line begins with who speaks. Read the functions below beside it, in their
//! order; then look at the other examples, which play the same parts as separate programs.

mod console;

use wirelark::{PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, SubSocket};

#[tokio::main]
async fn main() -> console::Outcome {
    for transport in ["tcp", "ipc", "inproc"] {
        println!("\n===== {transport} =====");
        request_and_reply(&endpoint(transport, "questions")).await?;
        publish_and_subscribe(&endpoint(transport, "news")).await?;
        pipeline(
            &endpoint(transport, "jobs"),
            &endpoint(transport, "results"),
        )
        .await?;
    }
    println!("\nThe sockets never knew which transport it was. That is the tour.");
    Ok(())
}

/// A place to meet. tcp reaches other machines, ipc other programs on this one, and inproc other
/// tasks of this program. A `*` lets the system choose; `bind` returns what it chose.
fn endpoint(transport: &str, name: &str) -> String {
    match transport {
        "tcp" => "tcp://127.0.0.1:*".to_owned(),
        "ipc" => "ipc://*".to_owned(),
        _ => format!("inproc://{name}"),
    }
}

/// **REQ and REP**: a question, an answer, and the next question.
async fn request_and_reply(endpoint: &str) -> console::Outcome {
    println!("\nRequest and reply");
    let server = RepSocket::new();
    let endpoint = server.bind(endpoint).await?;
    println!("  server    : you find me at {endpoint}");

    // A socket can be cloned: every clone is the same socket. One serves here, the other will close
    // it.
    let serving = tokio::spawn({
        let server = server.clone();
        async move {
            // `recv` fails when the socket is closed, and only then.
            while let Ok(request) = server.recv().await {
                let question = request.text().into_owned();
                println!("  server    : I was asked {question:?}");
                // An error would mean that the client is gone. It will ask again if it is still
                // interested.
                let _ = request.reply(format!("{question} Certainly!")).await;
            }
        }
    });

    let client = ReqSocket::new();
    client.connect(&endpoint)?;
    for question in ["Is anybody there?", "Do larks sing?"] {
        let reply = client.request(question).await?;
        println!(
            "  client    : I asked {question:?} and was told {:?}",
            reply.text()
        );
    }

    client.close().await;
    server.close().await;
    serving.await?;
    Ok(())
}

/// **PUB and SUB**: everybody hears what they have subscribed to, and nothing else.
async fn publish_and_subscribe(endpoint: &str) -> console::Outcome {
    println!("\nPublish and subscribe");
    let publisher = PubSocket::new();
    let endpoint = publisher.bind(endpoint).await?;
    println!("  publisher : listen to me at {endpoint}");

    // A subscription is a prefix of the first frame of a message.
    let weather = SubSocket::builder().subscribe("weather.").build();
    let sports = SubSocket::builder().subscribe("sports.").build();
    weather.connect(&endpoint)?;
    sports.connect(&endpoint)?;

    // A publisher does not wait for anyone: who joins late misses what was said before. When the
    // beginning matters, and here it does, it can be told to wait until so many have subscribed.
    publisher.wait_for_subscribers("weather.", 1).await?;
    publisher.wait_for_subscribers("sports.", 1).await?;

    // Each message has two frames here, the topic and the content.
    for [topic, content] in [
        ["traffic.oslo", "none"],
        ["weather.oslo", "4 C"],
        ["sports.oslo", "3:1"],
    ] {
        println!("  publisher : {topic} is {content}");
        publisher.send([topic, content]).await?;
    }
    for (name, subscriber) in [("weather", &weather), ("sports", &sports)] {
        println!("  {name:<10}: I heard {:?}", subscriber.recv().await?);
    }

    weather.close().await;
    sports.close().await;
    publisher.close().await;
    Ok(())
}

/// **PUSH and PULL**: a ventilator hands out jobs, workers do them, a sink collects the results.
async fn pipeline(jobs: &str, results: &str) -> console::Outcome {
    println!("\nPipeline");
    let ventilator = PushSocket::new();
    let jobs = ventilator.bind(jobs).await?;
    let sink = PullSocket::new();
    let results = sink.bind(results).await?;
    println!("  ventilator: get your jobs at {jobs}");
    println!("  sink      : bring your results to {results}");

    let mut workers = Vec::new();
    for name in ["Ann", "Bob"] {
        let (input, output) = (PullSocket::new(), PushSocket::new());
        input.connect(&jobs)?;
        output.connect(&results)?;
        let working = tokio::spawn({
            let (input, output) = (input.clone(), output.clone());
            async move {
                while let Ok(job) = input.recv().await {
                    println!("  {name:<10}: I do {}", job.text());
                    let result = format!("{} done by {name}", job.text());
                    if output.send(result).await.is_err() {
                        return;
                    }
                }
            }
        });
        workers.push((input, output, working));
    }

    // PUSH gives each job to the next worker that has room. It would start with the first that has
    // come; for a fair share from the beginning, wait until both are there. The socket's events say
    // when something has changed.
    let mut events = ventilator.events();
    while ventilator.peers().len() < workers.len() {
        events.next().await;
    }
    for job in 1..=4 {
        println!("  ventilator: job {job}, who is next?");
        ventilator.send(format!("job {job}")).await?;
    }
    for _ in 1..=4 {
        println!("  sink      : {}", sink.recv().await?.text());
    }

    for (input, output, working) in workers {
        input.close().await;
        working.await?;
        output.close().await;
    }
    ventilator.close().await;
    sink.close().await;
    Ok(())
}
