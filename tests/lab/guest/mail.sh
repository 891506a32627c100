#!/bin/sh
# Turns the base image into the mail server: Postfix takes and hands on, Dovecot holds the mailboxes and checks passwords.
# Runs on the host while the image is built; $1 is the new root. Certificate, addresses and passwords come with the device.
set -eu
root=$1
domain=example.org
run() { chroot "$root" "$@"; }
run groupadd --gid 5000 vmail
run useradd --uid 5000 --gid 5000 --home-dir /var/mail/v --create-home --shell /usr/sbin/nologin vmail
run postconf -e "myhostname = mail.$domain" "mydestination = localhost" "inet_interfaces = all" "inet_protocols = ipv4" \
  "mynetworks = 127.0.0.0/8" "virtual_mailbox_domains = $domain" "virtual_transport = lmtp:unix:private/dovecot-lmtp" \
  "virtual_mailbox_maps = texthash:/etc/lab/mailboxes" "virtual_alias_maps = texthash:/etc/lab/aliases" \
  "smtpd_tls_security_level = may" "smtpd_tls_auth_only = yes" \
  "smtpd_tls_cert_file = /etc/lab/mail.crt" "smtpd_tls_key_file = /etc/lab/mail.key" \
  "smtpd_sasl_auth_enable = yes" "smtpd_sasl_type = dovecot" "smtpd_sasl_path = private/auth" \
  "smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination" \
  "smtp_dns_support_level = disabled" "default_transport = error:the lab sends nothing outside" "maillog_file =" \
  "smtpd_client_connection_rate_limit = 0" "smtpd_client_connection_count_limit = 0"
run postconf -M submission/inet="submission inet n - n - - smtpd -o smtpd_tls_security_level=encrypt -o smtpd_client_restrictions=permit_sasl_authenticated,reject"
run postconf -F '*/*/chroot = n'
cat > "$root/etc/dovecot/local.conf" <<'DOVECOT'
protocols = imap lmtp
mail_location = maildir:/var/mail/v/%n
mail_uid = vmail
mail_gid = vmail
ssl = required
ssl_cert = </etc/lab/mail.crt
ssl_key = </etc/lab/mail.key
disable_plaintext_auth = yes
auth_mechanisms = plain login
auth_username_format = %n
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%n /etc/lab/passwd
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=/var/mail/v/%n
}
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    mode = 0600
    user = postfix
    group = postfix
  }
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
# A wrong password must not slow down the next right one.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
DOVECOT
# The PAM passdb and the certificate of the distribution are not wanted.
sed -i 's/^ssl_\(cert\|key\) = /#&/' "$root/etc/dovecot/conf.d/10-ssl.conf"
sed -i 's/^!include auth-system.conf.ext/#&/' "$root/etc/dovecot/conf.d/10-auth.conf"
rm -f "$root/etc/dovecot/private/dovecot.key" "$root/etc/dovecot/private/dovecot.pem" "$root/etc/ssl/private/ssl-cert-snakeoil.key"
