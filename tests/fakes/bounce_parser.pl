# Reads bounces with Mail::DeliveryStatus::BounceParser and with Sisimai: one on each line, as
# JSON, and so the answers.

use strict;
use warnings;
use JSON::PP;
use Mail::DeliveryStatus::BounceParser;
use MIME::Base64;
use Sisimai;

my $json = JSON::PP->new->ascii;
$| = 1;

sub parsed {
    my ($octets) = @_;
    my $bounce = Mail::DeliveryStatus::BounceParser->new(
        $octets,
        { report_non_bounces => 1, prefer_final_recipient => 1 },
    );
    my @reports = map {
        my $report = $_;
        +{ map { ($_ => $report->get($_)) } qw(email action status reason smtp_code) }
    } $bounce->reports;
    return {
        isBounce => $bounce->is_bounce ? JSON::PP::true : JSON::PP::false,
        parts    => [ map { $_->effective_type } $bounce->{message}->parts ],
        about    => $bounce->orig_message_id,
        reports  => \@reports,
    };
}

sub analysed {
    my ($octets) = @_;
    my $found = Sisimai->make(\$octets, delivered => 1) // [];
    my @names = qw(recipient alias addresser action deliverystatus reason diagnosticcode rhost
        messageid);
    return [ map { my $each = $_->damn; +{ map { ($_ => $each->{$_}) } @names } } @$found ];
}

while (my $line = <STDIN>) {
    my $asked  = $json->decode($line);
    # As mail lies in a mailbox on Unix.
    (my $octets = decode_base64($asked->{octets})) =~ s/\r\n/\n/g;
    my $read   = $asked->{sisimai} ? analysed($octets) : parsed($octets);
    print $json->encode({ read => $read }), "\n";
}
