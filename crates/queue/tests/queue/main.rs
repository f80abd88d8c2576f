//! The queue's tests: the scheduler as a value, deliveries and the service in a small world.

mod chunking;
mod deadline;
mod delivery;
mod notification;
mod release;
mod scheduler;
mod security;
mod service;
mod sockets;
mod world;
