// Tones that tell who is heard.

/** In hertz, one for each browser. */
export const TONES = [440, 660, 880, 1100];

const RATE = 48_000;

/**
 * One second of a tone as a WAV file, to be played over and over. It comes in two pulses: noise
 * suppression takes an unbroken tone for noise.
 */
export function wav(hertz) {
  const header = Buffer.alloc(44);
  const samples = Buffer.alloc(RATE * 2);
  for (let i = 0; i < RATE; i += 1) {
    const time = i / RATE;
    const inPulse = (time % 0.5) / 0.3;
    // A pulse rises and falls smoothly: an edge would sound at every frequency.
    const level = inPulse < 1 ? Math.sin(Math.PI * inPulse) ** 0.5 : 0;
    samples.writeInt16LE(Math.round(12_000 * level * Math.sin(2 * Math.PI * hertz * time)), i * 2);
  }
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + samples.length, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(1, 22); // one channel
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(RATE * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(samples.length, 40);
  return Buffer.concat([header, samples]);
}

/** Longer than the pause between two pulses: a tone not heard for so long has ended. */
export const PULSE_MS = 500;
