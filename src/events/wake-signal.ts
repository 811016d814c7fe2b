/** Returns a sleep that `notify` cuts short. A notify without a sleeper ends the next sleep at once. */
export function createWakeSignal() {
  let notified = false;
  let wake = () => {};
  return {
    notify() {
      notified = true;
      wake();
    },
    async wait(ms: number) {
      if (!notified)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      notified = false;
    },
  };
}
