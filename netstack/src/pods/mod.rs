//! The pod network of one node, as the node agent uses it.
//!
//! One thread does all of it, one request after the other: the kernel answers in microseconds, and a request whose caller
//! went away is done to its end.

mod execute;
mod node;

use std::{collections::BTreeMap, net::IpAddr, thread};

use tokio::sync::{mpsc, oneshot};

use crate::{Attached, Error, NodeNetwork, PodNetwork};
use node::Node;

/// How many requests wait before callers do.
const QUEUE: usize = 64;

/// The pod network of the namespace that [`PodNetworks::open`] was called in. Clones are the same network.
///
/// Nothing is taken down when it is dropped: pods outlive the program.
#[derive(Debug, Clone)]
pub struct PodNetworks {
    jobs: mpsc::Sender<Job>,
}

type Answer<T> = oneshot::Sender<Result<T, Error>>;

enum Job {
    Attach(PodNetwork, Answer<Attached>),
    Detach(String, Answer<()>),
    Reconcile(Vec<PodNetwork>, Answer<BTreeMap<String, Result<Attached, Error>>>),
    Pods(Answer<BTreeMap<String, Vec<IpAddr>>>),
}

impl PodNetworks {
    /// Makes or adopts the bridge, and remembers the pods that are there. The rules of a former run stay as they are
    /// until [`PodNetworks::reconcile`] tells which pods there should be, which has to be the first call.
    ///
    /// # Errors
    /// When the description makes no sense, another interface has the bridge's name, or the kernel refuses.
    pub async fn open(network: NodeNetwork) -> Result<Self, Error> {
        let (opened, answer) = oneshot::channel();
        let (jobs, queue) = mpsc::channel(QUEUE);
        let work = move || match Node::open(network) {
            Ok(node) => {
                if opened.send(Ok(())).is_ok() {
                    serve(node, queue);
                }
            }
            Err(error) => drop(opened.send(Err(error))),
        };
        thread::Builder::new().name("pod-network".to_owned()).spawn(work).map_err(Error::io("starting a thread"))?;
        answer.await.map_err(|_| Error::Ended)??;
        Ok(Self { jobs })
    }

    /// Connects a pod; nothing changes for one that is connected as it should be.
    ///
    /// # Errors
    /// When there is no address left, the namespace is not there or the host's own, or the kernel refuses. Nothing of a
    /// new pod is left then.
    pub async fn attach(&self, pod: PodNetwork) -> Result<Attached, Error> {
        self.ask(|answer| Job::Attach(pod, answer)).await
    }

    /// Disconnects a pod, by its UID, and frees its addresses and host ports. A pod that is not there is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn detach(&self, uid: String) -> Result<(), Error> {
        self.ask(|answer| Job::Detach(uid, answer)).await
    }

    /// Makes the network that of exactly these pods: others are disconnected, these are connected or adopted.
    ///
    /// # Errors
    /// When the node's part fails. Each pod has its own result.
    pub async fn reconcile(&self, all: Vec<PodNetwork>) -> Result<BTreeMap<String, Result<Attached, Error>>, Error> {
        self.ask(|answer| Job::Reconcile(all, answer)).await
    }

    /// The pods that are connected, and their addresses; after a restart also those of before.
    ///
    /// # Errors
    /// Only when the working thread is gone.
    pub async fn pods(&self) -> Result<BTreeMap<String, Vec<IpAddr>>, Error> {
        self.ask(Job::Pods).await
    }

    async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, Error> {
        let (sender, answer) = oneshot::channel();
        self.jobs.send(job(sender)).await.map_err(|_| Error::Ended)?;
        answer.await.map_err(|_| Error::Ended)?
    }
}

/// Works until the last handle is gone. Who does not wait for the answer any more does not get it.
fn serve(mut node: Node, mut queue: mpsc::Receiver<Job>) {
    while let Some(job) = queue.blocking_recv() {
        match job {
            Job::Attach(pod, answer) => drop(answer.send(node.attach(&pod))),
            Job::Detach(uid, answer) => drop(answer.send(node.detach(&uid))),
            Job::Reconcile(all, answer) => drop(answer.send(node.reconcile(&all))),
            Job::Pods(answer) => drop(answer.send(Ok(node.pods()))),
        }
    }
}

#[cfg(test)]
mod tests;
