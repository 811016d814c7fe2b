import { useEffect, useState } from "preact/hooks";
import { FileDrop } from "../ui/file-drop.js";
import { Field, TextField } from "../ui/form.js";
import { html } from "../ui/html.js";

/**
 * A product's picture with a preview, saved with the product.
 * @param {object} props
 * @param {File | undefined} props.file chosen, and not saved yet
 * @param {(file: File | undefined) => void} props.onFile
 * @param {string} props.name of the product
 * @param {string} props.url of the one there is; empty: none
 * @param {{ label: string, path: string, value: string, onValue: (value: string) => void }} props.bind
 */
export function Picture({ name, file, onFile, url, bind }) {
  const [preview, setPreview] = useState("");
  useEffect(() => {
    if (!file) return setPreview("");
    const made = URL.createObjectURL(file);
    setPreview(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  const shown = preview || url;
  return html`
    <section class="panel picture" aria-labelledby="picture">
      <h2 id="picture">Picture</h2>
      <${Field}
        label="A file"
        path="/image"
        codes=${["unsupported_media_type", "picture_too_large", "picture_unreadable"]}
        hint="PNG, JPEG or WebP, up to 5 MB; or drop it here."
        control=${(/** @type {object} */ attributes) => html`
          <${FileDrop} label=${shown ? "Choose another" : "Choose a picture"} accept="image/png,image/jpeg,image/webp" onFile=${onFile} ...${attributes}>
            <${Thumbnail} url=${shown} name=${name} />
            ${file && html`<p class="hint">${file.name}, not saved yet</p>`}
          <//>
        `}
      />
      ${
        file
          ? html`<button type="button" class="button small" onClick=${() => onFile(undefined)}>Not this one</button>`
          : html`<${TextField} ...${bind} label="or its URL" inputmode="url" autocomplete="off" />`
      }
    </section>
  `;
}

/**
 * A picture, or the first letter without one.
 * @param {{ url: string | null, name: string }} props
 */
export function Thumbnail({ url, name }) {
  const [broken, setBroken] = useState("");
  if (!url || broken === url)
    return html`<span class="thumbnail" aria-hidden="true">${name.trim().slice(0, 1)}</span>`;
  return html`<img class="thumbnail" src=${url} alt="" loading="lazy" onError=${() => setBroken(url)} />`;
}
