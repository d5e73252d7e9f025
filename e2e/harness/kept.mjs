// What the page keeps in its browser's IndexedDB, looked at and changed from outside.

/** Runs in the page: opens the page's database, as it is. */
const OPEN = `() => new Promise((resolve, reject) => {
  const opening = indexedDB.open("community-chats");
  opening.onsuccess = () => resolve(opening.result);
  opening.onerror = () => reject(opening.error);
})`;

async function keys(open) {
  const database = await open();
  const read = (store) =>
    new Promise((resolve, reject) => {
      const reading = database.transaction(store).objectStore(store).getAllKeys();
      reading.onsuccess = () => resolve([store, reading.result]);
      reading.onerror = () => reject(reading.error);
    });
  const all = Object.fromEntries(await Promise.all(["keys", "device", "certificates"].map(read)));
  database.close();
  return all;
}

async function read(open, { store, from }) {
  const database = await open();
  const reading = database.transaction(store).objectStore(store).get(from);
  await new Promise((resolve, reject) => {
    reading.onsuccess = resolve;
    reading.onerror = () => reject(reading.error);
  });
  database.close();
  return [...reading.result];
}

async function change(open, changed, { store, from, to }) {
  const database = await open();
  const transaction = database.transaction(store, "readwrite");
  const rows = transaction.objectStore(store);
  const reading = rows.get(from);
  reading.onsuccess = () => rows.put(changed(reading.result), to);
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  database.close();
}

// As text, since functions made of text are forbidden by the page's content security policy.

/** The keys of each store that holds a sign-in. */
export function keptKeys(page) {
  return page.evaluate(`(${keys})(${OPEN})`);
}

/** The bytes of the row under `from`. */
export function keptBytes(page, store, from) {
  return page.evaluate(`(${read})(${OPEN}, ${JSON.stringify({ store, from })})`);
}

/** Puts what `changed`, run in the page, makes of the row under `from` in its place, or under `to`. */
export function changeKept(page, store, changed, { from, to = from }) {
  return page.evaluate(`(${change})(${OPEN}, ${changed}, ${JSON.stringify({ store, from, to })})`);
}

/** The names of the databases of rooms. */
export function roomsKept(page) {
  return page.evaluate(async () => {
    const names = (await indexedDB.databases()).map(({ name }) => name);
    return names.filter((name) => name.startsWith("community-chats rooms "));
  });
}

/** Deletes what is kept of rooms, whoever has it open. */
export async function deleteRooms(page) {
  const names = await roomsKept(page);
  await page.evaluate(
    (names) =>
      Promise.all(
        names.map(
          (name) =>
            new Promise((resolve, reject) => {
              const deleting = indexedDB.deleteDatabase(name);
              deleting.onsuccess = resolve;
              deleting.onerror = () => reject(deleting.error);
            }),
        ),
      ),
    names,
  );
  return names.length;
}

/** Flips a bit in the middle of each row that is kept of rooms in these tables; gives how many. */
export async function damageRooms(page, tables) {
  const [name] = await roomsKept(page);
  return page.evaluate(
    async ([name, tables]) => {
      const settled = (request, event) =>
        new Promise((resolve, reject) => {
          request[event] = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await settled(indexedDB.open(name), "onsuccess");
      const transaction = database.transaction(tables, "readwrite");
      const done = settled(transaction, "oncomplete");
      let rows = 0;
      for (const table of tables) {
        const all = transaction.objectStore(table).openCursor();
        all.onsuccess = () => {
          const cursor = all.result;
          if (!cursor) return;
          const row = cursor.value;
          row[Math.floor(row.length / 2)] ^= 1;
          cursor.update(row);
          rows += 1;
          cursor.continue();
        };
      }
      await done;
      database.close();
      return rows;
    },
    [name, tables],
  );
}
