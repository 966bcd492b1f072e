//! Do the pyzmq peers that the other tests lean on work among themselves? When an interoperability
//! test fails, this tells whether the library or the test support is to blame.

use crate::support::{Place, Python, assert_same, corpus};

on_every_transport!(pipeline, subscription, request);

async fn pipeline(place: Place) {
    let Some(python) = Python::find() else { return };
    let (mut push, mut pull) = (python.peer("PUSH").await, python.peer("PULL").await);
    let endpoint = pull.bind(&place.any_endpoint()).await;
    push.connect(&endpoint).await;
    for message in corpus() {
        push.send(message.clone()).await;
        assert_same(&pull.recv().await, &message);
    }
}

async fn subscription(place: Place) {
    let Some(python) = Python::find() else { return };
    let (mut publisher, mut subscriber) = (python.peer("XPUB").await, python.peer("SUB").await);
    let endpoint = publisher.bind(&place.any_endpoint()).await;
    subscriber.connect(&endpoint).await;
    subscriber.subscribe("weather.").await;
    assert_same(&publisher.recv().await, &"\u{1}weather.".into());
    publisher.send("sports.oslo").await;
    publisher.send("weather.oslo").await;
    assert_same(&subscriber.recv().await, &"weather.oslo".into());
}

async fn request(place: Place) {
    let Some(python) = Python::find() else { return };
    let (mut req, mut rep) = (python.peer("REQ").await, python.peer("REP").await);
    let endpoint = rep.bind(&place.any_endpoint()).await;
    req.connect(&endpoint).await;
    rep.wait_peers(1).await;
    req.send("hello").await;
    assert_same(&rep.recv().await, &"hello".into());
    rep.send(["world", ""]).await;
    assert_same(&req.recv().await, &["world", ""].into());
}
