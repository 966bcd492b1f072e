//! PUSH and PULL against pyzmq: every kind of message, both ways round, and what a pipeline
//! promises when programs start late, are many, or are restarted.

use crate::support::{Attach as _, Link, Place, Python, assert_same, corpus, until_peers, within};
use wirelark::{PullSocket, PushSocket};

on_every_link!(
    push_to_pyzmq,
    pull_from_pyzmq,
    push_before_the_other_side_is_there,
    pull_before_the_other_side_is_there
);

on_every_transport!(
    our_jobs_are_split_evenly,
    their_jobs_are_split_evenly,
    jobs_are_pushed_to_several_bound_workers,
    what_is_queued_reaches_a_restarted_pyzmq,
    we_find_a_restarted_ventilator,
    what_pyzmq_queued_reaches_us_after_our_restart,
);

const WORKERS: usize = 3;
const JOBS_EACH: usize = 100;

async fn push_to_pyzmq(link: Link) {
    let Some(python) = Python::find() else { return };
    let (push, mut pull) = (PushSocket::new(), python.peer("PULL").await);
    link.join(&push, &mut pull).await;
    let corpus = corpus();
    for message in &corpus {
        within(push.send(message)).await.unwrap();
    }
    for message in &corpus {
        assert_same(&pull.recv().await, message);
    }
    within(push.close()).await;
}

async fn pull_from_pyzmq(link: Link) {
    let Some(python) = Python::find() else { return };
    let (pull, mut push) = (PullSocket::new(), python.peer("PUSH").await);
    link.join(&pull, &mut push).await;
    let corpus = corpus();
    for message in &corpus {
        push.send(message).await;
    }
    for message in &corpus {
        assert_same(&within(pull.recv()).await.unwrap(), message);
    }
    within(pull.close()).await;
}

async fn push_before_the_other_side_is_there(link: Link) {
    let Some(python) = Python::find() else { return };
    let (push, mut pull) = (PushSocket::new(), python.peer("PULL").await);
    link.join_backwards(&push, &mut pull).await;
    within(push.send("hello")).await.unwrap();
    assert_same(&pull.recv().await, &"hello".into());
    within(push.close()).await;
}

async fn pull_before_the_other_side_is_there(link: Link) {
    let Some(python) = Python::find() else { return };
    let (pull, mut push) = (PullSocket::new(), python.peer("PUSH").await);
    link.join_backwards(&pull, &mut push).await;
    push.send("hello").await;
    assert_same(&within(pull.recv()).await.unwrap(), &"hello".into());
    within(pull.close()).await;
}

async fn our_jobs_are_split_evenly(place: Place) {
    let Some(python) = Python::find() else { return };
    let push = PushSocket::new();
    let endpoint = push.attach_bind(&place.any_endpoint()).await;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let mut worker = python.peer("PULL").await;
        worker.connect(&endpoint).await;
        workers.push(worker);
    }
    until_peers(&push, WORKERS).await;
    for job in 0..WORKERS * JOBS_EACH {
        within(push.send(format!("job {job}"))).await.unwrap();
    }
    // Nobody gets more than an even share if everybody gets it.
    let mut jobs = Vec::new();
    for worker in &mut workers {
        for _ in 0..JOBS_EACH {
            jobs.push(worker.recv().await);
        }
    }
    assert_all_jobs_once(jobs.iter().map(|job| job.text().into_owned()).collect());
    within(push.close()).await;
}

async fn their_jobs_are_split_evenly(place: Place) {
    let Some(python) = Python::find() else { return };
    let mut push = python.peer("PUSH").await;
    let endpoint = push.bind(&place.any_endpoint()).await;
    let workers: [PullSocket; WORKERS] = std::array::from_fn(|_| PullSocket::new());
    workers
        .iter()
        .for_each(|worker| worker.attach_connect(&endpoint));
    push.wait_peers(WORKERS).await;
    for job in 0..WORKERS * JOBS_EACH {
        push.send(format!("job {job}")).await;
    }
    let mut jobs = Vec::new();
    for worker in &workers {
        for _ in 0..JOBS_EACH {
            jobs.push(within(worker.recv()).await.unwrap());
        }
        within(worker.close()).await;
    }
    assert_all_jobs_once(jobs.iter().map(|job| job.text().into_owned()).collect());
}

fn assert_all_jobs_once(mut jobs: Vec<String>) {
    let mut expected: Vec<String> = (0..WORKERS * JOBS_EACH)
        .map(|job| format!("job {job}"))
        .collect();
    jobs.sort();
    expected.sort();
    assert_eq!(jobs, expected);
}

async fn jobs_are_pushed_to_several_bound_workers(place: Place) {
    let Some(python) = Python::find() else { return };
    let push = PushSocket::new();
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let mut worker = python.peer("PULL").await;
        push.attach_connect(&worker.bind(&place.any_endpoint()).await);
        workers.push(worker);
    }
    until_peers(&push, WORKERS).await;
    for _ in 0..JOBS_EACH {
        for job in 0..WORKERS {
            within(push.send(format!("job {job}"))).await.unwrap();
        }
    }
    for worker in &mut workers {
        let mine = worker.recv().await;
        for _ in 1..JOBS_EACH {
            assert_same(&worker.recv().await, &mine);
        }
    }
    within(push.close()).await;
}

async fn what_is_queued_reaches_a_restarted_pyzmq(place: Place) {
    let Some(python) = Python::find() else { return };
    let endpoint = place.fixed_endpoint();
    let (push, mut pull) = (PushSocket::new(), python.peer("PULL").await);
    pull.bind(&endpoint).await;
    push.attach_connect(&endpoint);
    within(push.send("before")).await.unwrap();
    assert_same(&pull.recv().await, &"before".into());

    pull.kill().await;
    until_peers(&push, 0).await;
    for number in 0..JOBS_EACH {
        within(push.send(["while away".to_owned(), number.to_string()]))
            .await
            .unwrap();
    }

    let mut pull = python.peer("PULL").await;
    pull.bind(&endpoint).await;
    for number in 0..JOBS_EACH {
        assert_same(
            &pull.recv().await,
            &["while away".to_owned(), number.to_string()].into(),
        );
    }
    within(push.send("after")).await.unwrap();
    assert_same(&pull.recv().await, &"after".into());
    within(push.close()).await;
}

async fn we_find_a_restarted_ventilator(place: Place) {
    let Some(python) = Python::find() else { return };
    let endpoint = place.fixed_endpoint();
    let pull = PullSocket::new();
    pull.attach_connect(&endpoint);
    for life in ["first", "second", "third"] {
        let mut push = python.peer("PUSH").await;
        push.bind(&endpoint).await;
        push.send(life).await;
        assert_same(&within(pull.recv()).await.unwrap(), &life.into());
        push.kill().await;
    }
    within(pull.close()).await;
}

async fn what_pyzmq_queued_reaches_us_after_our_restart(place: Place) {
    let Some(python) = Python::find() else { return };
    let endpoint = place.fixed_endpoint();
    let pull = PullSocket::new();
    pull.attach_bind(&endpoint).await;
    let mut push = python.peer("PUSH").await;
    push.connect(&endpoint).await;
    push.send("before").await;
    assert_same(&within(pull.recv()).await.unwrap(), &"before".into());

    within(pull.close()).await;
    push.wait_disconnects(1).await;
    push.send("while away").await;

    let pull = PullSocket::new();
    pull.attach_bind(&endpoint).await;
    assert_same(&within(pull.recv()).await.unwrap(), &"while away".into());
    within(pull.close()).await;
}
