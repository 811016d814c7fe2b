import { useLayoutEffect, useRef } from "preact/hooks";

/** Returns a ref that opens a `<dialog>` as a modal while it is rendered. */
export function useModal() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useLayoutEffect(() => {
    const element = /** @type {HTMLDialogElement} */ (dialog.current);
    element.showModal();
    return () => element.close();
  }, []);
  return dialog;
}
