//! What a test does to the scripted server.

use super::{Auth, Failure, Materialize, Step};

impl Materialize {
    /// Nothing before this time is readable any more.
    pub fn compact(&self, since: u64) {
        self.shared.with(|state| state.since = since);
    }

    /// Makes the view a materialized one of which so many milliseconds can be
    /// read: `RETAIN HISTORY`; a second, where there is none.
    pub fn retain_history(&self, name: &str, ms: u64) {
        self.shared
            .with(|state| state.view(name).history = Some(ms));
    }

    /// Asks every new session for this password.
    pub fn require_password(&self, auth: Auth, password: &str) {
        let password = (auth, password.to_string());
        self.shared.with(|state| state.password = Some(password));
    }

    /// What every new session is told of its settings.
    pub fn welcome_with(&self, settings: Vec<Vec<u8>>) {
        self.shared.with(|state| state.settings = settings);
    }

    /// The parameters that each session so far has begun with.
    pub fn startups(&self) -> Vec<Vec<(String, String)>> {
        self.shared.lock().startups.clone()
    }

    /// Closes every connection.
    pub fn cut_all(&self) {
        self.shared.with(|state| state.cut_all());
    }

    /// Whether new connections are closed at once.
    pub fn refuse(&self, refuses: bool) {
        self.shared.with(|state| state.refuses = refuses);
    }

    /// Whether new connections are answered with an error, code and message.
    pub fn refuse_with(&self, error: Option<(&str, &str)>) {
        let owned = |(code, message): (&str, &str)| (code.to_string(), message.to_string());
        self.shared.with(|state| state.refusal = error.map(owned));
    }

    /// How many connections were answered with an error.
    pub fn refusals(&self) -> usize {
        self.shared.lock().refusals
    }

    /// Whether everything hangs: no answer, no stream, no close.
    pub fn silence(&self, is_silent: bool) {
        self.shared.with(|state| state.is_silent = is_silent);
    }

    /// Whether the streams hang while other connections are answered.
    pub fn silence_streams(&self, is_silent: bool) {
        self.shared.with(|state| state.streams_silent = is_silent);
    }

    /// Whether the streams of one view hang while all else goes on.
    pub fn hold(&self, name: &str, is_held: bool) {
        self.shared.with(|state| {
            state.held.retain(|held| held != name);
            if is_held {
                state.held.push(name.to_string());
            }
        });
    }

    /// Closes every connection and makes the past unreadable.
    pub fn restart(&self) {
        self.shared.with(|state| {
            state.now += 1000;
            state.since = state.now;
            state.cut_all();
        });
    }

    /// As 0.7 does at a restart: the rows are gone, the view is not, and the
    /// past is readable as if it had always been empty.
    pub fn restart_without_rows(&self) {
        self.shared.with(|state| {
            state.now += 1000;
            for (_, view) in &mut state.views {
                view.steps.clear();
            }
            state.cut_all();
        });
    }

    /// Whether the role may not read the view.
    pub fn deny(&self, name: &str, is_denied: bool) {
        self.shared
            .with(|state| state.view(name).is_denied = is_denied);
    }

    /// Drops the view: a modern server ends its streams with an error, an old
    /// one says nothing and streams on.
    pub fn drop_view(&self, name: &str) {
        self.shared.with(|state| state.drop_view(name));
    }

    /// The same with an error of these words.
    pub fn drop_view_saying(&self, name: &str, code: &str, message: &str) {
        self.shared.with(|state| {
            let view = state.view(name);
            view.exists = false;
            view.push(Step::Error(code.to_string(), message.to_string()));
        });
    }

    /// Drops the view with what it reads: an old server ends its streams as if
    /// they were finished.
    pub fn drop_cascade(&self, name: &str) {
        self.drop_view(name);
        self.end_streams(name);
    }

    /// Ends the view's streams with CopyDone.
    pub fn end_streams(&self, name: &str) {
        self.shared.with(|state| {
            state.view(name).push(Step::Done);
        });
    }

    /// Ends the view's streams with an error.
    pub fn fail_streams(&self, name: &str, code: &str, message: &str) {
        self.shared.with(|state| {
            let step = Step::Error(code.to_string(), message.to_string());
            state.view(name).push(step);
        });
    }

    /// Lets the next COPY fail; call again for more.
    pub fn fail_next_copy(&self, code: &str, message: &str) {
        self.shared.with(|state| {
            let error = (code.to_string(), message.to_string());
            state.copy_errors.push(error);
        });
    }

    /// Gives its own answers again.
    pub fn forget_answers(&self) {
        self.shared.with(|state| {
            state.answers.clear();
            state.copy_errors.clear();
            state.query_failures.clear();
        });
    }

    /// Lets the next asking of a question fail.
    pub fn fail_next_query(&self, sql: &str, failure: Failure) {
        let failure = (sql.to_string(), failure);
        self.shared.with(|state| state.query_failures.push(failure));
    }

    /// Sends bytes as one CopyData message to the view's open streams.
    pub fn inject(&self, name: &str, bytes: &[u8]) {
        self.shared.with(|state| {
            state.view(name).push(Step::Raw(bytes.to_vec()));
        });
    }

    /// Sends bytes that are wrong only because of what was said before them, to
    /// the view's open streams that have said something. As a first word they
    /// would be the truth, for all that anybody can tell.
    pub fn contradict(&self, name: &str, bytes: &[u8]) {
        self.shared.with(|state| {
            let step = Step::Contradiction(bytes.to_vec());
            state.view(name).push(step);
        });
    }

    /// Whether streams that begin from now on show no progress at all, as an
    /// old server may for an idle view.
    pub fn withhold_progress(&self, withholds: bool) {
        self.shared
            .with(|state| state.withholds_progress = withholds);
    }
}
