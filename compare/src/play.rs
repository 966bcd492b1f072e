//! Who plays a role in a worker process.

use anyhow::{Result, bail};

use crate::contestant::Contestant;
use crate::meter::Measured;
use crate::task::{Role, Task};
use crate::worker::Post;
use crate::{idle, lark, libzmq, plain};

/// Plays the role to its end and says what it measured.
pub fn play(task: &Task, post: &Post) -> Result<Measured> {
    if task.role == Role::Idle {
        return idle::play(task, post);
    }
    match task.contestant {
        Contestant::Libzmq => libzmq::play(task, post),
        Contestant::Plain => plain::play(task, post),
        Contestant::CurrentThread | Contestant::MultiMain | Contestant::MultiSpawned => {
            lark::play(task, post)
        }
        Contestant::Omq | Contestant::Rzmq | Contestant::Zeromq => {
            bail!("a contestant of the other program")
        }
    }
}
