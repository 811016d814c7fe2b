// The users, by email and role.
import { useEffect, useState } from "preact/hooks";
import { go } from "../router.js";
import { Form, FormActions, SelectField, TextField } from "../ui/form.js";
import { html } from "../ui/html.js";
import { Time } from "../ui/time.js";
import { PagedList, usePaginatedQuery } from "../ui/use-paginated-query.js";
import { ViewHead } from "../ui/view-head.js";
import { nameOf } from "./labels.js";
import { roles, UserPage } from "./user.js";

/** @typedef {import("../api.js").User} User */

/** @param {{ user: User, route: import("../router.js").Route }} props */
export function View({ user, route: { rest, query } }) {
  const [id] = rest;
  return id ? html`<${UserPage} key=${id} id=${id} me=${user} />` : html`<${UserList} query=${query} />`;
}

/** @param {{ query: URLSearchParams }} props */
function UserList({ query }) {
  const [email, setEmail] = useState(query.get("email") ?? "");
  const [role, setRole] = useState(query.get("role") ?? "");
  // The same form, so that the focus stays.
  useEffect(() => {
    setEmail(query.get("email") ?? "");
    setRole(query.get("role") ?? "");
  }, [query.toString()]);
  const pages = /** @type {import("../ui/use-paginated-query.js").Pages<User>} */ (
    usePaginatedQuery("/users", { email: query.get("email"), role: query.get("role") })
  );

  async function show() {
    go("/users", { email: email.trim(), role });
  }

  return html`
    <${ViewHead} title="Users" />
    <div class="finder">
      <${Form} onSave=${show}>
        <${TextField} label="Email" path="/email" type="email" placeholder="Full address" autocomplete="off" value=${email} onValue=${setEmail} />
        <${SelectField}
          label="Role"
          path="/role"
          value=${role}
          onValue=${setRole}
          options=${[{ value: "", label: "Any" }, ...roles]}
        />
        <${FormActions} save="Find" />
      <//>
    </div>
    <${PagedList} pages=${pages} empty="No users found.">
      <div class="table-frame">
        <table>
          <thead>
            <tr><th>Who</th><th>Role</th><th>Since</th></tr>
          </thead>
          <tbody>
            ${pages.items?.map(
              (user) => html`
                <tr key=${user.id}>
                  <th scope="row">
                    <a href=${`#/users/${user.id}`}>${nameOf(user)}</a>
                    ${!user.verified && html` <span class="badge soon">Not verified</span>`}
                    ${user.email && user.email !== nameOf(user) && html`<p class="under">${user.email}</p>`}
                  </th>
                  <td data-label="Role">${roles.find(({ value }) => value === user.role)?.label}</td>
                  <td data-label="Since"><${Time} at=${user.created_at} /></td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    <//>
  `;
}
