// The sound of a new order, off by default. The preference is stored on the device.
const key = "ristretto.sound";

/** @type {AudioContext | undefined} */
let audio;

/** Returns whether the sound is on. */
export const wantsSound = () => localStorage.getItem(key) === "on";

/** Turns the sound on or off, and plays it once. @param {boolean} on */
export function setSound(on) {
  localStorage.setItem(key, on ? "on" : "off");
  if (on) chime();
}

/** Plays two notes if the sound is on. Browsers play nothing before the first touch. */
export function chime() {
  if (!wantsSound()) return;
  audio ??= new AudioContext();
  void audio.resume();
  for (const [nth, hertz] of [659, 880].entries()) {
    const start = audio.currentTime + nth * 0.16;
    const volume = audio.createGain();
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(0.25, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, start + 0.5);
    const tone = audio.createOscillator();
    tone.frequency.value = hertz;
    tone.connect(volume).connect(audio.destination);
    tone.start(start);
    tone.stop(start + 0.5);
  }
}
