//! PUB and SUB against pyzmq: every kind of message, both ways round, and what a subscription means
//! while subscribers come late, change their minds, and lose their publisher.
//!
//! Where a test has to know that a publisher of theirs has taken in a subscription, it uses an
//! XPUB, which is a PUB that tells: a message of `1` and the prefix for a subscription, `0` and the
//! prefix for its end.

use crate::support::{
    Attach as _, Link, Peer, Place, Python, assert_same, corpus_with_topic, within,
};
use wirelark::{PubSocket, SubSocket};

on_every_link!(
    publish_to_pyzmq,
    subscribe_to_pyzmq,
    publish_before_the_other_side_is_there,
    subscribe_before_the_other_side_is_there,
);

on_every_transport!(
    a_pyzmq_that_joins_late_gets_what_follows,
    we_join_late_and_get_what_follows,
    pyzmq_unsubscribes,
    we_unsubscribe,
    our_subscriptions_outlive_the_publisher,
    their_subscriptions_outlive_us,
    a_plain_pub_hears_our_subscription,
);

async fn publish_to_pyzmq(link: Link) {
    let Some(python) = Python::find() else { return };
    let (publisher, mut subscriber) = (PubSocket::new(), python.peer("SUB").await);
    subscriber.subscribe("weather.").await;
    link.join(&publisher, &mut subscriber).await;
    within(publisher.wait_for_subscribers("weather.", 1))
        .await
        .unwrap();
    for message in corpus_with_topic("weather.oslo") {
        within(publisher.send(["sports.oslo", "not for you"]))
            .await
            .unwrap();
        within(publisher.send(message.clone())).await.unwrap();
        assert_same(&subscriber.recv().await, &message);
    }
    within(publisher.close()).await;
}

async fn subscribe_to_pyzmq(link: Link) {
    let Some(python) = Python::find() else { return };
    let (subscriber, mut publisher) = (SubSocket::new(), python.peer("XPUB").await);
    subscriber.subscribe("weather.").unwrap();
    link.join(&subscriber, &mut publisher).await;
    assert_same(&publisher.recv().await, &subscription_to("weather."));
    for message in corpus_with_topic("weather.oslo") {
        publisher.send(["sports.oslo", "not for you"]).await;
        publisher.send(message.clone()).await;
        assert_same(&within(subscriber.recv()).await.unwrap(), &message);
    }
    within(subscriber.close()).await;
}

async fn publish_before_the_other_side_is_there(link: Link) {
    let Some(python) = Python::find() else { return };
    let (publisher, mut subscriber) = (PubSocket::new(), python.peer("SUB").await);
    subscriber.subscribe("").await;
    link.join_backwards(&publisher, &mut subscriber).await;
    within(publisher.wait_for_subscribers("", 1)).await.unwrap();
    within(publisher.send("hello")).await.unwrap();
    assert_same(&subscriber.recv().await, &"hello".into());
    within(publisher.close()).await;
}

async fn subscribe_before_the_other_side_is_there(link: Link) {
    let Some(python) = Python::find() else { return };
    let subscriber = SubSocket::builder().subscribe("").build();
    let mut publisher = python.peer("XPUB").await;
    link.join_backwards(&subscriber, &mut publisher).await;
    assert_same(&publisher.recv().await, &subscription_to(""));
    publisher.send("hello").await;
    assert_same(&within(subscriber.recv()).await.unwrap(), &"hello".into());
    within(subscriber.close()).await;
}

async fn a_pyzmq_that_joins_late_gets_what_follows(place: Place) {
    let Some(python) = Python::find() else { return };
    let publisher = PubSocket::new();
    let endpoint = publisher.attach_bind(&place.any_endpoint()).await;
    within(publisher.send("nobody is there")).await.unwrap();

    let mut early = python.peer("SUB").await;
    early.subscribe("").await;
    early.connect(&endpoint).await;
    within(publisher.wait_for_subscribers("", 1)).await.unwrap();
    within(publisher.send("one is there")).await.unwrap();

    let mut late = python.peer("SUB").await;
    late.subscribe("").await;
    late.connect(&endpoint).await;
    within(publisher.wait_for_subscribers("", 2)).await.unwrap();
    within(publisher.send("two are there")).await.unwrap();

    assert_same(&early.recv().await, &"one is there".into());
    assert_same(&early.recv().await, &"two are there".into());
    assert_same(&late.recv().await, &"two are there".into());
    within(publisher.close()).await;
}

async fn we_join_late_and_get_what_follows(place: Place) {
    let Some(python) = Python::find() else { return };
    let mut publisher = python.peer("XPUB").await;
    // Without this it reports only the first subscription to a prefix.
    publisher.set("XPUB_VERBOSE", "1").await;
    let endpoint = publisher.bind(&place.any_endpoint()).await;
    publisher.send("nobody is there").await;

    let early = SubSocket::builder().subscribe("").build();
    early.attach_connect(&endpoint);
    assert_same(&publisher.recv().await, &subscription_to(""));
    publisher.send("one is there").await;

    let late = SubSocket::new();
    late.attach_connect(&endpoint);
    late.subscribe("").unwrap();
    assert_same(&publisher.recv().await, &subscription_to(""));
    publisher.send("two are there").await;

    assert_same(&within(early.recv()).await.unwrap(), &"one is there".into());
    assert_same(
        &within(early.recv()).await.unwrap(),
        &"two are there".into(),
    );
    assert_same(&within(late.recv()).await.unwrap(), &"two are there".into());
    within(early.close()).await;
    within(late.close()).await;
}

async fn pyzmq_unsubscribes(place: Place) {
    let Some(python) = Python::find() else { return };
    let (publisher, mut subscriber) = (PubSocket::new(), python.peer("SUB").await);
    let endpoint = publisher.attach_bind(&place.any_endpoint()).await;
    subscriber.connect(&endpoint).await;
    subscriber.subscribe("a").await;
    subscriber.subscribe("a").await;
    subscriber.subscribe("b").await;

    // Twice subscribed and once unsubscribed is subscribed.
    subscriber.unsubscribe("a").await;
    subscriber.subscribe("first mark").await;
    within(publisher.wait_for_subscribers("first mark", 1))
        .await
        .unwrap();
    within(publisher.send("a1")).await.unwrap();
    assert_same(&subscriber.recv().await, &"a1".into());

    // Their orders arrive in order: when the second mark is there, so is the end of the
    // subscription.
    subscriber.unsubscribe("a").await;
    subscriber.subscribe("second mark").await;
    within(publisher.wait_for_subscribers("second mark", 1))
        .await
        .unwrap();
    within(publisher.send("a2")).await.unwrap();
    within(publisher.send("b2")).await.unwrap();
    assert_same(&subscriber.recv().await, &"b2".into());
    within(publisher.close()).await;
}

async fn we_unsubscribe(place: Place) {
    let Some(python) = Python::find() else { return };
    let (subscriber, mut publisher) = (SubSocket::new(), python.peer("XPUB").await);
    publisher.set("XPUB_VERBOSER", "1").await;
    let endpoint = publisher.bind(&place.any_endpoint()).await;
    subscriber.attach_connect(&endpoint);
    for prefix in ["a", "b"] {
        subscriber.subscribe(prefix).unwrap();
        assert_same(&publisher.recv().await, &subscription_to(prefix));
    }
    subscriber.subscribe("a").unwrap();

    subscriber.unsubscribe("a").unwrap();
    subscriber.subscribe("first mark").unwrap();
    receive_until(&mut publisher, "\u{1}first mark", &["\u{1}a"]).await;
    publisher.send("a1").await;
    assert_same(&within(subscriber.recv()).await.unwrap(), &"a1".into());

    subscriber.unsubscribe("a").unwrap();
    assert_same(&publisher.recv().await, &"\u{0}a".into());
    publisher.send("a2").await;
    publisher.send("b2").await;
    assert_same(&within(subscriber.recv()).await.unwrap(), &"b2".into());

    // Nothing to end: nothing is sent.
    subscriber.unsubscribe("a").unwrap();
    subscriber.subscribe("second mark").unwrap();
    assert_same(&publisher.recv().await, &subscription_to("second mark"));
    within(subscriber.close()).await;
}

async fn our_subscriptions_outlive_the_publisher(place: Place) {
    let Some(python) = Python::find() else { return };
    let endpoint = place.fixed_endpoint();
    let subscriber = SubSocket::builder()
        .subscribe("a")
        .subscribe("gone")
        .build();
    subscriber.attach_connect(&endpoint);
    subscriber.unsubscribe("gone").unwrap();
    subscriber.subscribe("a").unwrap();
    subscriber.subscribe("b").unwrap();
    for _life in 0..3 {
        let mut publisher = python.peer("XPUB").await;
        publisher.set("XPUB_VERBOSE", "1").await;
        publisher.bind(&endpoint).await;
        let mut subscriptions = [publisher.recv().await, publisher.recv().await];
        subscriptions.sort_by_key(|subscription| subscription.text().into_owned());
        assert_eq!(subscriptions, [subscription_to("a"), subscription_to("b")]);
        publisher.send("gone").await;
        publisher.send("b").await;
        assert_same(&within(subscriber.recv()).await.unwrap(), &"b".into());
        publisher.kill().await;
    }
    within(subscriber.close()).await;
}

async fn their_subscriptions_outlive_us(place: Place) {
    let Some(python) = Python::find() else { return };
    let endpoint = place.fixed_endpoint();
    let mut subscriber = python.peer("SUB").await;
    subscriber.subscribe("a").await;
    subscriber.connect(&endpoint).await;
    for life in ["a first", "a second", "a third"] {
        let publisher = PubSocket::new();
        publisher.attach_bind(&endpoint).await;
        within(publisher.wait_for_subscribers("a", 1))
            .await
            .unwrap();
        within(publisher.send(life)).await.unwrap();
        assert_same(&subscriber.recv().await, &life.into());
        within(publisher.close()).await;
    }
}

/// A PUB does not tell when it has heard of us, so it goes on until it has.
async fn a_plain_pub_hears_our_subscription(place: Place) {
    let Some(python) = Python::find() else { return };
    let subscriber = SubSocket::builder().subscribe("weather.").build();
    let mut publisher = python.peer("PUB").await;
    subscriber.attach_connect(&publisher.bind(&place.any_endpoint()).await);
    publisher.wait_peers(1).await;
    let mut receive = std::pin::pin!(within(subscriber.recv()));
    let message = loop {
        publisher.send("sports.oslo").await;
        publisher.send(["weather.oslo", "4 C"]).await;
        tokio::select! {
            biased;
            message = &mut receive => break message.unwrap(),
            () = tokio::task::yield_now() => {}
        }
    };
    assert_same(&message, &["weather.oslo", "4 C"].into());
    within(subscriber.close()).await;
}

fn subscription_to(prefix: &str) -> wirelark::Message {
    format!("\u{1}{prefix}").into()
}

/// Receives up to the message `last`; what comes before it must be among `allowed`.
async fn receive_until(publisher: &mut Peer, last: &str, allowed: &[&str]) {
    loop {
        let message = publisher.recv().await;
        let text = message.text();
        if text == last {
            return;
        }
        assert!(allowed.contains(&text.as_ref()), "{text:?}");
    }
}
