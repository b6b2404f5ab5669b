// What shows a view: opens its stream, lets go of it, goes on with it, and says where it stands.
import { ViewStream } from "./viewcast.js";

export class Viewer {
  #stream = null;
  #address;
  /** What is said while there is no stream; `null` for the usual. */
  #standing = null;
  #wanted = false;
  #paused = false;
  #status;
  #onActivity;

  /** `status` is the line that says where the stream stands; subclasses set `element`. */
  constructor(view, status, onActivity) {
    this.view = view;
    this.#address = view.stream;
    this.#status = status;
    this.#onActivity = onActivity;
  }

  get stream() { return this.#stream; }
  get isStreaming() { return this.#stream !== null && !this.#paused; }

  /** Opens the stream, or goes on with the one that was paused. */
  start() {
    if (this.isStreaming) return;
    this.#wanted = true;
    this.#paused = false;
    if (this.#stream !== null) this.#stream.resume();
    else this.#open();
  }

  /** Shows another stream of the view from now on; `null` for none, and why. */
  follow(address, standing = null) {
    this.#stream?.close();
    [this.#stream, this.#address, this.#standing] = [null, address, standing];
    if (this.#wanted && !this.#paused) this.#open();
    this.showStatus();
  }

  #open() {
    if (this.#address === null) return;
    this.#stream = new ViewStream(this.#address, { shared: true });
    this.#stream.addEventListener("status", () => {
      this.showStatus();
      this.#onActivity(this, null);
    });
    this.listen(this.#stream);
    this.showStatus();
  }

  /** Lets go of the connection; what is shown stays, and says so. */
  pause() {
    if (this.#paused) return;
    this.#paused = true;
    this.#stream?.pause();
    this.showStatus();
  }

  close() {
    this.#stream?.close();
    this.element.remove();
  }

  /** The stream has said something, with so many changed rows. */
  heard(changes) { this.#onActivity(this, changes); }

  showStatus() { this.#status.show(this.#stream ?? this.#standing, this.element); }
}
