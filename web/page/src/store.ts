// Conversations in the browser's IndexedDB, one record each. Where there is none (a private window of some browsers)
// they last as long as the page.
import type { Conversation } from "./conversation";

const NAME = "quire";
const STORE = "conversations";

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
  return settled(request);
}

export class Store {
  private database: Promise<IDBDatabase> = openDatabase();

  private async objects(mode: IDBTransactionMode): Promise<IDBObjectStore> {
    return (await this.database).transaction(STORE, mode).objectStore(STORE);
  }

  async all(): Promise<Conversation[]> {
    return settled((await this.objects("readonly")).getAll());
  }
  async put(conversation: Conversation): Promise<void> {
    await settled((await this.objects("readwrite")).put(conversation));
  }
  async remove(id: string): Promise<void> {
    await settled((await this.objects("readwrite")).delete(id));
  }
}
