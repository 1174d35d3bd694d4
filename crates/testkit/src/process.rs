//! A child process that ends with the test, and whose log is shown when the test fails.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait_for;

/// A running program.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it with its standard error in the file `log`, appended.
    pub fn start(command: &mut Command, log: PathBuf) -> Self {
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the log opens");
        let child = command
            .stdin(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Process { child, log }
    }

    /// The child itself.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("the child can be asked")
            .is_none()
    }

    /// SIGKILL: no last words.
    pub fn kill(&mut self) {
        self.child.kill().expect("the child can be killed");
        wait_for("the killed process to end", || !self.runs());
    }

    /// Its threads: name, state, and what each waits for in the kernel.
    pub fn threads(&self) -> String {
        let folder = format!("/proc/{}/task", self.child.id());
        let threads = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let of = |thread: std::fs::DirEntry| {
            let read = |name: &str| {
                let text = std::fs::read_to_string(thread.path().join(name));
                text.unwrap_or_default().trim().to_owned()
            };
            format!("{}: {}\n", read("stat"), read("wchan"))
        };
        threads.map(of).collect()
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("the child takes a signal");
        let mut ended = None;
        wait_for("the process to end", || {
            ended = self.child.try_wait().expect("the child can be asked");
            ended.is_some()
        });
        ended.expect("it has ended")
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    #[allow(clippy::print_stderr, reason = "shown with the failed test")]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the log of {}:\n{}", self.log.display(), self.log());
        }
    }
}
