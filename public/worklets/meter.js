// Measures what passes: posts { rms, peak } about every 50 ms, and once { first: true } when the
// first block with a sample other than zero comes by. Any message to it ends it.
const BLOCKS_PER_SECOND = 20;

class Meter extends AudioWorkletProcessor {
  constructor() {
    super();
    this.ended = false;
    this.heard = false;
    this.reset();
    this.port.onmessage = () => {
      this.ended = true;
    };
  }

  reset() {
    this.frames = 0;
    this.samples = 0;
    this.squares = 0;
    this.peak = 0;
  }

  process([channels]) {
    for (const channel of channels) {
      for (const sample of channel) {
        this.squares += sample * sample;
        this.peak = Math.max(this.peak, Math.abs(sample));
      }
      this.samples += channel.length;
    }
    if (!this.heard && this.peak > 0) {
      this.heard = true;
      this.port.postMessage({ first: true });
    }
    this.frames += 128; // The size of a block, fixed by Web Audio 1.0; nothing connected: silence.
    if (this.frames >= sampleRate / BLOCKS_PER_SECOND) {
      const rms = this.samples > 0 ? Math.sqrt(this.squares / this.samples) : 0;
      this.port.postMessage({ rms, peak: this.peak });
      this.reset();
    }
    return !this.ended;
  }
}

registerProcessor("chats-meter", Meter);
