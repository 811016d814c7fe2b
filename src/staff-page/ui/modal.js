import { useLayoutEffect, useRef } from "preact/hooks";

/** For a `<dialog>` that is open as long as it is there: over all else, the focus in it, and given back after it. */
export function useModal() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useLayoutEffect(() => {
    const element = /** @type {HTMLDialogElement} */ (dialog.current);
    element.showModal();
    return () => element.close();
  }, []);
  return dialog;
}
