// One user: person, role, devices, linked accounts.
import { useEffect, useState } from "preact/hooks";
import { ApiProblem, call, get } from "../api.js";
import { useNavigation } from "../router.js";
import { toast } from "../ui/announce.js";
import { Button } from "../ui/button.js";
import { confirm } from "../ui/confirm.js";
import { Form, FormActions, SelectField, TextField } from "../ui/form.js";
import { html } from "../ui/html.js";
import { Time } from "../ui/time.js";
import { PagedList, usePaginatedQuery } from "../ui/use-paginated-query.js";
import { QueryState, useQuery } from "../ui/use-query.js";
import { catchFocus, ViewHead } from "../ui/view-head.js";
import { nameOf } from "./labels.js";

/** @typedef {import("../api.js").User} User */
/** @typedef {import("../../auth/schemas.ts").Session} Session */
/** @typedef {import("../../users/schemas.ts").Identity} Identity */

/** @type {{ value: User["role"], label: string }[]} */
export const roles = [
  { value: "customer", label: "Customer" },
  { value: "barista", label: "Barista" },
  { value: "manager", label: "Manager" },
];

/** @param {{ id: string, me: User }} props */
export function UserPage({ id, me }) {
  const reading = /** @type {import("../ui/use-query.js").QueryResult<User>} */ (
    useQuery(id, () => get(`/users/${id}`))
  );
  const user = reading.value;
  return html`
    <${ViewHead} title=${user ? nameOf(user) : "User"}>
      ${user && !user.verified && html`<span class="badge soon">Not verified</span>`}
      ${user && html`<div class="tools"><a class="button" href=${`#/orders?customer_id=${id}`}>Orders</a></div>`}
    <//>
    <p><a href="#/users"><span aria-hidden="true">‹ </span>All users</a></p>
    <${QueryState} query=${reading} />
    ${
      user &&
      html`
        <div class="story">
          <div>
            <section class="part sheet" aria-labelledby="person">
              <h2 id="person">Person</h2>
              <${PersonForm} user=${user} itself=${id === me.id} onSaved=${reading.reload} />
            </section>
          </div>
          <div>
            <${Sessions} id=${id} />
            <${Identities} id=${id} />
            <${Deletion} user=${user} />
          </div>
        </div>
      `
    }
  `;
}

/** @param {{ user: User, itself: boolean, onSaved: () => Promise<void> }} props */
function PersonForm({ user, itself, onSaved }) {
  const [firstName, setFirstName] = useState("");
  const [lastName, setLastName] = useState("");
  const [phone, setPhone] = useState("");
  const [role, setRole] = useState(/** @type {string} */ (user.role));
  // As saved, here or by another manager.
  useEffect(() => {
    setFirstName(user.first_name ?? "");
    setLastName(user.last_name ?? "");
    setPhone(user.phone_number ?? "");
    setRole(user.role);
  }, [user.updated_at]);

  async function save() {
    if (role === "manager" && user.role !== "manager") {
      const sure = await confirm(
        `Make ${nameOf(user)} a manager?`,
        "Managers may change the menu, make refunds and change roles.",
        "Make a manager",
      );
      if (!sure) return;
    }
    const typed = {
      first_name: firstName.trim() || null,
      last_name: lastName.trim() || null,
      phone_number: phone.trim() || null,
      role,
    };
    // Only changed fields are sent, so that another manager's changes stay.
    const touched = Object.entries(typed).filter(
      ([field, value]) => value !== user[/** @type {keyof typeof typed} */ (field)],
    );
    if (touched.length > 0) await call("PATCH", `/users/${user.id}`, { body: Object.fromEntries(touched) });
    toast(`${nameOf({ ...user, first_name: firstName, last_name: lastName })} is saved`);
    await onSaved();
  }

  return html`
    <${Form} onSave=${save}>
      <dl class="facts">
        <dt>Email</dt>
        <dd>${user.email ?? "none"}${user.pending_email && html`<br /><span class="quiet">${user.pending_email}, once it is verified</span>`}</dd>
        <dt>Since</dt><dd><${Time} at=${user.created_at} /></dd>
      </dl>
      <${TextField} label="First name" path="/first_name" autocomplete="off" value=${firstName} onValue=${setFirstName} />
      <${TextField} label="Last name" path="/last_name" autocomplete="off" value=${lastName} onValue=${setLastName} />
      <${TextField} label="Phone" path="/phone_number" type="tel" autocomplete="off" codes=${["phone_taken"]} value=${phone} onValue=${setPhone} />
      <${SelectField}
        label="Role"
        path="/role"
        codes=${["forbidden"]}
        hint=${itself ? "You can't change your own role." : undefined}
        value=${role}
        onValue=${setRole}
        options=${roles}
      />
      <${FormActions} />
    <//>
  `;
}

/** @param {{ id: string }} props */
function Sessions({ id }) {
  const pages = /** @type {import("../ui/use-paginated-query.js").Pages<Session>} */ (
    usePaginatedQuery(`/users/${id}/sessions`)
  );
  return html`
    <section class="part sheet" aria-labelledby="sessions">
      <h2 id="sessions">Devices</h2>
      <${PagedList} pages=${pages} empty="No devices.">
        <ul class="entries">
          ${pages.items?.map(
            (session) => html`
              <li key=${session.id}>
                <div>
                  <strong>${deviceOf(session.user_agent)}</strong>
                  <p class="quiet">since <${Time} at=${session.created_at} />, last seen <${Time} at=${session.last_used_at} /></p>
                </div>
                <${Removal}
                  label="Sign out"
                  what=${deviceOf(session.user_agent)}
                  path=${`/users/${id}/sessions/${session.id}`}
                  onDone=${() => {
                    toast("The device is signed out");
                    return pages.reload();
                  }}
                />
              </li>
            `,
          )}
        </ul>
      <//>
    </section>
  `;
}

/** What a device calls itself, in two words. @param {string | null} agent */
function deviceOf(agent) {
  if (!agent) return "A device without a name";
  const browser = /Edg|OPR|Firefox|Chrome|Safari/.exec(agent)?.[0];
  const system = /iPhone|iPad|Android|Windows|Mac OS|CrOS|Linux/.exec(agent)?.[0];
  if (!browser) return agent.slice(0, 60);
  const name = { Edg: "Edge", OPR: "Opera" }[browser] ?? browser;
  return system ? `${name} on ${system}` : name;
}

/** @param {{ id: string }} props */
function Identities({ id }) {
  const pages = /** @type {import("../ui/use-paginated-query.js").Pages<Identity>} */ (
    usePaginatedQuery(`/users/${id}/identities`)
  );
  return html`
    <section class="part sheet" aria-labelledby="identities">
      <h2 id="identities">Linked accounts</h2>
      <${PagedList} pages=${pages} empty="Email and password only.">
        <ul class="entries">
          ${pages.items?.map(
            (identity) => html`
              <li key=${identity.id}>
                <div>
                  <strong>${identity.provider === "telegram" ? "Telegram" : identity.provider}</strong>
                  <p class="quiet">${identity.username ? `@${identity.username}` : `number ${identity.provider_id}`}, since <${Time} at=${identity.created_at} /></p>
                </div>
                <${Removal}
                  label="Unlink"
                  what="Telegram"
                  path=${`/users/${id}/identities/${identity.id}`}
                  onDone=${() => {
                    toast("Telegram is unlinked");
                    return pages.reload();
                  }}
                />
              </li>
            `,
          )}
        </ul>
      <//>
    </section>
  `;
}

/** @param {{ user: User }} props */
function Deletion({ user }) {
  const { go } = useNavigation();
  return html`
    <section class="part sheet" aria-labelledby="deletion">
      <h2 id="deletion">Delete</h2>
      <p class="quiet">The person is forgotten; orders and their money stay in the books.</p>
      <${Removal}
        label="Delete this user"
        what=${nameOf(user)}
        path=${`/users/${user.id}`}
        question=${[`Delete ${nameOf(user)}?`, "Name, email and phone are erased for good, and every device is signed out.", "Delete"]}
        onDone=${() => {
          toast(`${nameOf(user)} is deleted`);
          go("/users");
        }}
      />
    </section>
  `;
}

/**
 * A button that deletes, with the service's error beside it.
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.what
 * @param {string} props.path
 * @param {[title: string, text: string, yes: string]} [props.question] that is asked before
 * @param {() => unknown} props.onDone
 */
function Removal({ label, what, path, question, onDone }) {
  const [refusal, setRefusal] = useState("");
  async function remove() {
    setRefusal("");
    if (question && !(await confirm(...question))) return;
    try {
      await call("DELETE", path);
      await onDone();
      catchFocus();
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      setRefusal(error.message);
    }
  }
  return html`
    <div class="removal">
      <${Button} class=${question ? "danger" : "small"} onPress=${remove}>${label}<span class="unseen">: ${what}</span><//>
      ${refusal && html`<p class="error" role="alert">${refusal}</p>`}
    </div>
  `;
}
