// The page's shell: session, navigation, toasts.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiProblem, resume, signIn, signOut, whenSessionEnds } from "./api.js";
import { go, mayLeaveView, useRoute } from "./router.js";
import { Announcer, toast } from "./ui/announce.js";
import { Button } from "./ui/button.js";
import { ConfirmHost } from "./ui/confirm.js";
import { Form, FormActions, TextField } from "./ui/form.js";
import { html } from "./ui/html.js";
import { useModal } from "./ui/modal.js";
import { views } from "./views.js";

/** @typedef {import("./api.js").User} User */
/** @typedef {import("./views.js").Entry} Entry */

/** Between attempts to read the user while the service is unreachable. */
const retryMs = 3_000;

const notStaff = "This page is for staff only.";

function App() {
  const [user, setUser] = useState(/** @type {User | null | undefined} */ (undefined));
  const [ended, setEnded] = useState(false);
  const [unreachable, setUnreachable] = useState(false);

  useEffect(() => {
    whenSessionEnds(() => setEnded(true));
    async function begin() {
      try {
        const found = await resume();
        if (found?.role !== "customer") return setUser(found ?? null);
        // The role was lost since the sign-in.
        await signOut().catch(() => {});
        toast(notStaff);
        setUser(null);
      } catch (error) {
        if (!(error instanceof ApiProblem)) throw error;
        setUnreachable(true);
        setTimeout(begin, retryMs);
      }
    }
    void begin();
  }, []);

  /** @param {User} entered */
  function enter(entered) {
    setUser(entered);
    setEnded(false);
  }

  return html`
    ${user === undefined && html`<main class="sign-in"><p class="quiet" role="status">${unreachable ? "The service is unreachable. Trying again…" : "Loading…"}</p></main>`}
    ${user === null && html`<main class="sign-in"><${SignIn} onSignedIn=${enter} /></main>`}
    ${user && html`<${Shell} key=${`${user.id} ${user.role}`} user=${user} onSignedOut=${() => setUser(null)} />`}
    ${user && ended && html`<${SignInDialog} onSignedIn=${enter} />`}
    <${Announcer} />
    <${ConfirmHost} />
  `;
}

/**
 * Covers the page when the session has ended. The input stays behind it for the same user.
 * @param {{ onSignedIn: (user: User) => void }} props
 */
function SignInDialog({ onSignedIn }) {
  const dialog = useModal();
  return html`
    <dialog
      ref=${dialog}
      class="sign-in"
      aria-labelledby="sign-in"
      onCancel=${(/** @type {Event} */ event) => event.preventDefault()}
      onClose=${
        // Browsers close a dialog at the second Escape, without a cancel event.
        () => dialog.current?.showModal()
      }
    >
      <${SignIn} why="Your session has ended. Please sign in again." onSignedIn=${onSignedIn} />
    </dialog>
  `;
}

/** @param {{ why?: string, onSignedIn: (user: User) => void }} props */
function SignIn({ why, onSignedIn }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  useEffect(() => {
    const before = document.title;
    document.title = "Sign in · Ristretto";
    return () => {
      document.title = before;
    };
  }, []);

  async function enter() {
    const user = await signIn(email, password);
    if (user.role !== "customer") return onSignedIn(user);
    await signOut();
    throw new ApiProblem({
      status: 403,
      code: "forbidden",
      detail: notStaff,
    });
  }

  return html`
    <div class="sign-in-card">
      <${Brand} />
      <h1 id="sign-in">Sign in</h1>
      ${why && html`<p role="status">${why}</p>`}
      <${Form} onSave=${enter}>
        <${TextField} label="Email" path="/username" type="email" autocomplete="username" value=${email} onValue=${setEmail} autofocus />
        <${TextField} label="Password" path="/password" type="password" autocomplete="current-password" value=${password} onValue=${setPassword} />
        <${FormActions} save="Sign in" />
      <//>
    </div>
  `;
}

/** @param {{ user: User, onSignedOut: () => void }} props */
function Shell({ user, onSignedOut }) {
  const route = useRoute();
  const [menuOpen, setMenuOpen] = useState(false);
  const offered = views.filter(({ roles }) => roles.includes(user.role));
  const entry = offered.find(({ name }) => name === route.name);

  useEffect(() => {
    setMenuOpen(false);
    if (!entry) go(`/${offered[0]?.name}`);
  }, [route.name]);

  async function leave() {
    if (!(await mayLeaveView())) return;
    onSignedOut();
    // The session has ended on this page in any case.
    await signOut().catch(() => {});
  }

  const many = offered.length > 1;
  return html`
    <div class=${many ? "shell admin" : "shell"}>
      <a class="skip" href="#main" onClick=${skipToMain}>Skip to the content</a>
      <header class="bar">
        <${Brand} />
        ${
          many &&
          html`<button
              type="button"
              class="button menu-toggle"
              aria-expanded=${menuOpen}
              aria-controls="views"
              onClick=${() => setMenuOpen(!menuOpen)}
            >
              ${menuOpen ? "Close" : "Menu"}
            </button>
            <nav id="views" class=${menuOpen ? "views open" : "views"} aria-label="Views">
              <ul>
                ${offered.map(
                  ({ name, label }) => html`
                    <li key=${name}><a href=${`#/${name}`} aria-current=${name === entry?.name ? "page" : null}>${label}</a></li>
                  `,
                )}
              </ul>
            </nav>`
        }
        <div class="account">
          <p title=${user.email ?? ""}><span class="unseen">Signed in as </span>${user.first_name ?? user.email}</p>
          <${Button} class="plain" onPress=${leave}>Sign out<//>
        </div>
      </header>
      <main id="main" tabindex="-1" class=${`view-${entry?.name}`}>
        ${entry && html`<${LoadedView} key=${entry.name} entry=${entry} user=${user} route=${route} />`}
      </main>
    </div>
  `;
}

/** @param {Event} event The hash is the router's. */
function skipToMain(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** @param {{ entry: Entry, user: User, route: import("./router.js").Route }} props */
function LoadedView({ entry, user, route }) {
  const [View, setView] = useState(/** @type {import("./views.js").View | undefined} */ (undefined));
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    entry.load().then(
      (module) => setView(() => module.View),
      () => setFailed(true),
    );
  }, []);
  if (View) return html`<${View} user=${user} route=${route} />`;
  if (!failed) return html`<p class="quiet" role="status">Loading…</p>`;
  // A browser never requests a failed module again; a reload does.
  return html`
    <div class="problem" role="alert">
      <p>${entry.label} could not be loaded.</p>
      <button type="button" class="button" onClick=${() => location.reload()}>Try again</button>
    </div>
  `;
}

function Brand() {
  return html`<p class="brand"><img src="/admin/icon.svg" alt="" width="32" height="32" />Ristretto</p>`;
}

render(html`<${App} />`, document.body);
