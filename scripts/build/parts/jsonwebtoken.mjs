// The sign-in with a certificate signs a token. It never reads one.
import sign from 'jsonwebtoken/sign.js';

export default { sign };
