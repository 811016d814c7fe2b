// The sound of a new order. Off until somebody wants it: that he does is a preference, and kept on the device.
const key = "ristretto.sound";

/** @type {AudioContext | undefined} */
let audio;

/** Whether it is on, on this device. */
export const wantsSound = () => localStorage.getItem(key) === "on";

/** Turns it on or off, and lets it be heard once. @param {boolean} on */
export function setSound(on) {
  localStorage.setItem(key, on ? "on" : "off");
  if (on) chime();
}

/** Two soft notes, if it is on. A browser plays nothing before the page was touched for the first time. */
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
